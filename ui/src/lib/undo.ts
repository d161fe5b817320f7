// Takes one change of a text back although the text was changed again since.

/** How many characters two texts have in common at their beginning, and after that at their end. */
function common(a: string, b: string): [begin: number, end: number] {
  const most = Math.min(a.length, b.length);
  let begin = 0;
  while (begin < most && a[begin] === b[begin]) begin += 1;
  let end = 0;
  while (end < most - begin && a[a.length - 1 - end] === b[b.length - 1 - end]) end += 1;
  return [begin, end];
}

/**
 * `now` without what made `after` of `before`. Null if what came since is in the midst of it: then nobody can tell the two apart, and
 * nothing is taken away.
 */
export function without(before: string, after: string, now: string): string | null {
  const [begin, end] = common(before, after);
  const old = before.slice(begin, before.length - end);
  const change = after.length - end;
  const [later, rest] = common(after, now);
  // Typed behind it, or nothing was.
  if (later >= change) return now.slice(0, begin) + old + now.slice(change);
  // Typed before it.
  if (after.length - rest <= begin) {
    const moved = now.length - after.length;
    return now.slice(0, begin + moved) + old + now.slice(change + moved);
  }
  return null;
}
