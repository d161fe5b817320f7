//! `GET /v1/changes`, read line by line. A page without its end line was cut; what came before the cut counts.

use reqwest::{Method, Response, header::ACCEPT};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;

use super::{Token, Transport, TransportError, expect_type};

/// Largest line of the feed, in bytes with its end; of a larger one [`TOO_LONG`] is left.
const MAX_LINE: usize = 1024 * 1024;
/// What stands for a line that is too long: half a line, so it is [`FeedLine::Broken`].
const TOO_LONG: &[u8] = b"{\n";
/// Lines that are as long as this together are given out though fewer than asked for: what is applied at once stays small.
const ENOUGH: usize = 4 * 1024 * 1024;
/// Largest page, in bytes after decompression, without the lines that are too long; and the longest of those.
const MAX_PAGE: usize = 64 * 1024 * 1024;

/// The two streams, in the order in which they are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Deferrals and recalls.
    Safety,
    /// Everything.
    All,
}

impl Stream {
    /// The name in the URL and in the cache.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Safety => "safety",
            Self::All => "all",
        }
    }
}

/// One line of the feed.
#[derive(Debug)]
pub enum FeedLine {
    /// A resource was written.
    Put {
        /// Where to resume after this line.
        cursor: String,
        /// The resource's JSON, not looked at yet.
        resource: String,
    },
    /// A resource is gone.
    Delete {
        /// Where to resume after this line.
        cursor: String,
        /// FHIR resource type.
        kind: String,
        /// Its id.
        id: String,
    },
    /// The page is whole.
    End {
        /// Where the next page begins.
        cursor: String,
        /// Whether there is more at once.
        more: bool,
    },
    /// A line that is none of these; it is skipped and counted.
    Broken,
}

/// A page of the feed while it arrives.
#[derive(Debug)]
pub struct FeedPage {
    response: Response,
    /// Lines, and as much as is kept of the last one, which is not whole.
    buffer: Vec<u8>,
    /// Where that begins.
    begin: usize,
    /// How much of it came, kept or not.
    line: usize,
    /// What was kept of the whole answer.
    read: usize,
    /// What ended the answer, until the lines before it are given out.
    failure: Option<TransportError>,
}

impl Transport {
    /// Asks for the changes after `after` (from the beginning without it).
    pub async fn changes(
        &self,
        token: &Token,
        stream: Stream,
        after: Option<&str>,
        limit: u32,
    ) -> Result<FeedPage, TransportError> {
        let mut query = vec![
            ("stream", stream.as_str().to_owned()),
            ("limit", limit.to_string()),
        ];
        if let Some(after) = after {
            query.push(("after", after.to_owned()));
        }
        let mut url = self
            .base
            .join("v1/changes")
            .map_err(|_| TransportError::Profile)?;
        url.query_pairs_mut().extend_pairs(query);
        let request = self
            .client
            .request(Method::GET, url)
            .header(ACCEPT, "application/x-ndjson");
        let response = self.send(token.authorise(request)).await?;
        expect_type(&response, "application/x-ndjson")?;
        Ok(FeedPage {
            response,
            buffer: Vec::new(),
            begin: 0,
            line: 0,
            read: 0,
            failure: None,
        })
    }
}

impl FeedPage {
    /// The next whole lines: `lines` of them, or fewer if those are long or there are no more. Whoever met [`FeedLine::End`] asks for no more;
    /// an end of the answer before it is [`TransportError::Truncated`].
    pub async fn lines(&mut self, lines: usize) -> Result<Vec<u8>, TransportError> {
        let mut looked_at = 0;
        let mut found = 0;
        let mut whole = 0;
        loop {
            let whole_lines = &self.buffer[..self.begin];
            for (at, byte) in whole_lines.iter().enumerate().skip(looked_at) {
                if *byte == b'\n' {
                    (found, whole) = (found + 1, at + 1);
                    if found == lines {
                        break;
                    }
                }
            }
            let is_enough =
                found == lines || whole >= ENOUGH || (found > 0 && self.failure.is_some());
            if is_enough {
                let rest = self.buffer.split_off(whole);
                self.begin -= whole;
                return Ok(std::mem::replace(&mut self.buffer, rest));
            }
            if let Some(failure) = self.failure.take() {
                return Err(failure);
            }
            looked_at = self.begin;
            self.failure = self.more().await.err();
        }
    }

    /// Reads on.
    async fn more(&mut self) -> Result<(), TransportError> {
        let Some(chunk) = self.response.chunk().await? else {
            return Err(TransportError::Truncated);
        };
        for piece in chunk.split_inclusive(|byte| *byte == b'\n') {
            self.take(piece);
        }
        if self.read > MAX_PAGE || self.line > MAX_PAGE {
            return Err(TransportError::TooLarge);
        }
        Ok(())
    }

    /// Takes what comes next of a line, which ends with it or not. A line that is too long is passed over as it comes: it must not stand in the
    /// way of those behind it.
    fn take(&mut self, piece: &[u8]) {
        let is_whole = piece.ends_with(b"\n");
        self.line += piece.len();
        let kept = if self.line <= MAX_LINE {
            piece
        } else {
            self.read -= self.buffer.len() - self.begin;
            self.buffer.truncate(self.begin);
            if is_whole { TOO_LONG } else { &[] }
        };
        self.buffer.extend_from_slice(kept);
        self.read += kept.len();
        if is_whole {
            (self.begin, self.line) = (self.buffer.len(), 0);
        }
    }
}

/// A written resource as the server lays it out: its JSON is taken as it stands. Not proven to be one value yet, or even a text.
pub(crate) fn written(line: &[u8]) -> Option<(&str, &[u8])> {
    let rest = line.strip_prefix(br#"{"cursor":""#)?;
    let (cursor, rest) = rest.split_at(rest.iter().position(|byte| *byte == b'"')?);
    let resource = rest
        .strip_prefix(br#"","op":"put","resource":"#)?
        .strip_suffix(b"}")?;
    let cursor = str::from_utf8(cursor).ok()?;
    (!cursor.contains('\\')).then_some((cursor, resource))
}

/// Reads one line of the feed.
pub(crate) fn parse(line: &[u8]) -> FeedLine {
    #[derive(Deserialize)]
    struct Line {
        cursor: Cursor,
        op: Option<String>,
        resource: Option<Value>,
        #[serde(rename = "type")]
        kind: Option<String>,
        id: Option<String>,
        end: Option<bool>,
        more: Option<bool>,
    }
    // A cursor is opaque; servers may write it as a string or as a number.
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Cursor {
        Text(String),
        Number(u64),
    }
    if let Some((cursor, resource)) = written(line)
        && let Ok(resource) = str::from_utf8(resource)
        && serde_json::from_str::<IgnoredAny>(resource).is_ok()
    {
        return FeedLine::Put {
            cursor: cursor.to_owned(),
            resource: resource.to_owned(),
        };
    }
    let Ok(line) = serde_json::from_slice::<Line>(line) else {
        return FeedLine::Broken;
    };
    let cursor = match line.cursor {
        Cursor::Text(text) => text,
        Cursor::Number(number) => number.to_string(),
    };
    match (
        line.op.as_deref(),
        line.resource,
        line.kind,
        line.id,
        line.end,
    ) {
        (Some("put"), Some(resource), ..) => FeedLine::Put {
            cursor,
            resource: resource.to_string(),
        },
        (Some("delete"), _, Some(kind), Some(id), _) => FeedLine::Delete { cursor, kind, id },
        (None, _, _, _, Some(true)) => FeedLine::End {
            cursor,
            more: line.more.unwrap_or(false),
        },
        _ => FeedLine::Broken,
    }
}

/// The first end line among lines: its cursor, and whether there is more at once.
pub(crate) fn end(lines: &[u8]) -> Option<(String, bool)> {
    let mut others = lines
        .split(|byte| *byte == b'\n')
        .filter(|line| written(line).is_none());
    others.find_map(|line| match parse(line) {
        FeedLine::End { cursor, more } => Some((cursor, more)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::transport::Deadlines;

    const CHANGES: usize = 5;

    /// The page after a cursor.
    fn page(after: usize) -> Vec<u8> {
        let mut text = String::new();
        for n in after + 1..=CHANGES {
            let line = if n % 2 == 0 {
                format!(r#"{{"cursor":"{n}","op":"delete","type":"Flag","id":"{n}"}}"#)
            } else {
                format!(r#"{{"cursor":"{n}","op":"put","resource":{{"id":"{n}","text":"қан"}}}}"#)
            };
            text.push_str(&line);
            text.push('\n');
        }
        let end = format!("{{\"cursor\":\"{CHANGES}\",\"end\":true,\"more\":false}}\n");
        text.push_str(&end);
        text.into_bytes()
    }

    /// How a body is sent, so that its end is known, or not.
    #[derive(Clone, Copy, Debug)]
    enum Form {
        /// The end of the connection is the end of the body.
        Close,
        /// The length is said before.
        Length,
        /// zstd.
        Compressed,
    }

    /// Answers one request after the other; of each body only as much as `cut` says then.
    fn serve(form: Form, cut: Arc<AtomicUsize>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                answer(stream.unwrap(), form, cut.load(Ordering::SeqCst));
            }
        });
        format!("http://{address}")
    }

    fn answer(mut stream: TcpStream, form: Form, cut: usize) {
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let request = lines.next().unwrap().unwrap();
        while !lines.next().unwrap().unwrap().is_empty() {}
        let after = request
            .split_once("after=")
            .map_or(0, |(_, rest)| rest[..1].parse().unwrap());
        let (body, header) = match form {
            Form::Close => (page(after), String::new()),
            Form::Length => {
                let body = page(after);
                let header = format!("content-length: {}\r\n", body.len());
                (body, header)
            }
            Form::Compressed => {
                let body = zstd::encode_all(page(after).as_slice(), 3).unwrap();
                (body, "content-encoding: zstd\r\n".to_owned())
            }
        };
        let head = format!(
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/x-ndjson\r\n{header}\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&body[..cut.min(body.len())]).unwrap();
    }

    /// The cursors of one answer, and how it ended: `None` with its end line.
    async fn read(
        transport: &Transport,
        after: Option<&str>,
    ) -> (Vec<String>, Option<&'static str>) {
        let token = Token("token".to_owned().into());
        let mut page = transport
            .changes(&token, Stream::All, after, 500)
            .await
            .unwrap();
        let mut cursors = Vec::new();
        loop {
            let lines = match page.lines(2).await {
                Ok(lines) => lines,
                Err(error) => return (cursors, Some(error.code())),
            };
            for line in lines.split_inclusive(|byte| *byte == b'\n') {
                match parse(line.trim_ascii_end()) {
                    FeedLine::Put { cursor, .. } | FeedLine::Delete { cursor, .. } => {
                        cursors.push(cursor);
                    }
                    FeedLine::End { more, .. } => {
                        assert!(!more);
                        return (cursors, None);
                    }
                    FeedLine::Broken => panic!("half a line was taken for a line"),
                }
            }
        }
    }

    #[tokio::test]
    async fn a_feed_cut_at_every_byte_goes_on_where_it_ended() {
        let all: Vec<String> = (1..=CHANGES).map(|n| n.to_string()).collect();
        for form in [Form::Close, Form::Length, Form::Compressed] {
            let cut = Arc::new(AtomicUsize::new(0));
            let url = serve(form, Arc::clone(&cut));
            let transport = Transport::new(&url, None, None, Deadlines::default()).unwrap();
            let plain = page(0);
            let length = match form {
                Form::Compressed => zstd::encode_all(plain.as_slice(), 3).unwrap().len(),
                Form::Close | Form::Length => plain.len(),
            };
            for at in 0..=length {
                cut.store(at, Ordering::SeqCst);
                let (mut cursors, ended) = read(&transport, None).await;
                if let Form::Close | Form::Length = form {
                    let whole = plain[..at].split(|byte| *byte == b'\n').count() - 1;
                    assert_eq!(cursors.len(), whole.min(CHANGES), "{form:?} {at}");
                    let end = (whole <= CHANGES).then_some("server-truncated");
                    assert_eq!(ended, end, "{form:?} {at}");
                }
                assert!(at < length || ended.is_none(), "{form:?}");
                cut.store(usize::MAX, Ordering::SeqCst);
                if ended.is_some() {
                    assert_eq!(ended, Some("server-truncated"), "{form:?} {at}");
                    let (rest, ended) = read(&transport, cursors.last().cloned().as_deref()).await;
                    assert_eq!(ended, None);
                    cursors.extend(rest);
                }
                assert_eq!(cursors, all, "each once: {form:?} {at}");
            }
        }
    }

    /// A long line is half a line in the middle, at the beginning or just before the end; and the lines around it come.
    #[tokio::test]
    async fn a_line_that_is_too_long_is_passed_over() {
        let put = |n: usize, length: usize| {
            let line =
                format!(r#"{{"cursor":"{n}","op":"put","resource":{{"id":"{n}","text":""}}}}"#);
            let text = "x".repeat(length - line.len() - 1);
            line.replace(r#""text":"""#, &format!(r#""text":"{text}""#)) + "\n"
        };
        let end = "{\"cursor\":\"9\",\"end\":true,\"more\":false}\n";
        // Three of them are more than a page may have.
        let (longest, long, huge) = (MAX_LINE, MAX_LINE + 1, MAX_PAGE / 2);
        for lengths in [
            vec![100, long, 100],
            vec![long, longest, longest],
            vec![100, 100, long],
            vec![huge, huge, huge, 100],
            vec![huge],
        ] {
            let lines: Vec<String> = (1..)
                .zip(&lengths)
                .map(|(n, length)| put(n, *length))
                .collect();
            let whole = lines.concat() + end;
            let (url, cut) = serve_one(whole.clone());
            let transport = Transport::new(&url, None, None, Deadlines::default()).unwrap();
            let expected: Vec<Option<String>> = (1..)
                .zip(&lengths)
                .map(|(n, length): (usize, _)| (*length <= MAX_LINE).then(|| n.to_string()))
                .collect();
            let (found, most) = told(&transport).await;
            assert_eq!(found, (expected.clone(), None), "{lengths:?}");
            assert!(most < 8 * MAX_LINE, "{most} bytes were kept");
            if whole.len() > 8 * MAX_LINE {
                continue;
            }
            // Cut within or behind any of them: what is told is whole.
            let mut at = 0;
            for (whole_lines, line) in lines.iter().enumerate() {
                for (cut_at, lines) in [
                    (at + line.len() / 2, whole_lines),
                    (at + line.len() - 1, whole_lines),
                    (at + line.len(), whole_lines + 1),
                ] {
                    cut.store(cut_at, Ordering::SeqCst);
                    let (found, _) = told(&transport).await;
                    let expected = expected[..lines].to_vec();
                    assert_eq!(
                        found,
                        (expected, Some("server-truncated")),
                        "{lengths:?} {cut_at}"
                    );
                }
                at += line.len();
            }
        }
    }

    #[tokio::test]
    async fn a_line_without_end_ends_the_page() {
        let (url, _) = serve_one("x".repeat(MAX_PAGE + MAX_LINE));
        let transport = Transport::new(&url, None, None, Deadlines::default()).unwrap();
        let (found, most) = told(&transport).await;
        assert_eq!(found, (Vec::new(), Some("server-not-json")));
        assert!(most < 8 * MAX_LINE, "{most} bytes were kept");
    }

    /// Answers every request with this, or with as much of it as `cut` says.
    fn serve_one(body: String) -> (String, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let cut = Arc::new(AtomicUsize::new(usize::MAX));
        let cut_at = Arc::clone(&cut);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                while !lines.next().unwrap().unwrap().is_empty() {}
                let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/x-ndjson\r\n\r\n";
                let body = &body.as_bytes()[..cut_at.load(Ordering::SeqCst).min(body.len())];
                // Who has enough hangs up.
                let _ = stream.write_all(head.as_bytes());
                let _ = stream.write_all(body);
            }
        });
        (url, cut)
    }

    type Told = (Vec<Option<String>>, Option<&'static str>);

    /// The cursors of an answer, `None` for a broken line, and how it ended: `None` with its end line; and the most bytes that were kept.
    async fn told(transport: &Transport) -> (Told, usize) {
        let token = Token("token".to_owned().into());
        let mut page = transport
            .changes(&token, Stream::All, None, 500)
            .await
            .unwrap();
        let (mut cursors, mut most) = (Vec::new(), 0);
        loop {
            let lines = match page.lines(2).await {
                Ok(lines) => lines,
                Err(error) => {
                    return (
                        (cursors, Some(error.code())),
                        most.max(page.buffer.capacity()),
                    );
                }
            };
            most = most.max(page.buffer.capacity()).max(lines.capacity());
            for line in lines.split_inclusive(|byte| *byte == b'\n') {
                match parse(line.trim_ascii_end()) {
                    FeedLine::Put { cursor, .. } | FeedLine::Delete { cursor, .. } => {
                        cursors.push(Some(cursor));
                    }
                    FeedLine::End { .. } => return ((cursors, None), most),
                    FeedLine::Broken => cursors.push(None),
                }
            }
        }
    }

    /// Whether a line came as it was sent is TLS's to say; here it is only that nothing hangs or panics, and that an answer which cannot be
    /// unpacked is a cut one.
    #[tokio::test]
    async fn a_compressed_feed_with_any_byte_changed_ends() {
        let plain = page(0);
        let packed = zstd::encode_all(plain.as_slice(), 3).unwrap();
        let answers: Vec<Vec<u8>> = (0..packed.len())
            .flat_map(|at| [0x01, 0x80, 0xff].map(|flip| (at, flip)))
            .map(|(at, flip)| {
                let mut answer = packed.clone();
                answer[at] ^= flip;
                answer
            })
            .collect();
        let count = answers.len();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for body in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                while !lines.next().unwrap().unwrap().is_empty() {}
                let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/x-ndjson\r\ncontent-encoding: zstd\r\n\r\n";
                // Who cannot unpack it hangs up.
                let _ = stream.write_all(&[head.as_bytes(), &body].concat());
            }
        });
        let transport = Transport::new(&url, None, None, Deadlines::default()).unwrap();
        let token = Token("token".to_owned().into());
        let mut cut = 0;
        for _ in 0..count {
            let mut page = transport
                .changes(&token, Stream::All, None, 500)
                .await
                .unwrap();
            let mut got = Vec::new();
            let error = loop {
                match page.lines(2).await {
                    Ok(lines) => got.extend(lines),
                    Err(error) => break error,
                }
            };
            assert!(["server-truncated", "server-not-json"].contains(&error.code()));
            assert!(got.is_empty() || got.ends_with(b"\n"), "whole lines only");
            assert!(got.len() <= MAX_PAGE);
            cut += usize::from(!got.ends_with(b"\"more\":false}\n"));
        }
        assert!(cut > count / 2, "{cut} of {count}");
    }

    #[test]
    fn lines_are_told_apart_and_nonsense_is_only_broken() {
        assert!(matches!(
            parse(br#"{"cursor":"7","op":"put","resource":{"resourceType":"Flag"}}"#),
            FeedLine::Put { .. }
        ));
        // Another layout, and members after the resource.
        for line in [
            r#"{"op":"put", "cursor":"7", "resource":{"id":"a}"}}"#,
            r#"{"cursor":"7","op":"put","resource":{"id":"a}"}}"#,
            r#"{"cursor":"7","op":"put","resource":{"id":"a}"},"later":{}}"#,
        ] {
            let FeedLine::Put { cursor, resource } = parse(line.as_bytes()) else {
                panic!("{line}");
            };
            assert_eq!(
                (cursor.as_str(), resource.as_str()),
                ("7", r#"{"id":"a}"}"#)
            );
        }
        assert!(
            matches!(parse(br#"{"cursor":8,"op":"delete","type":"Flag","id":"a"}"#), FeedLine::Delete { cursor, .. } if cursor == "8")
        );
        assert!(matches!(
            parse(br#"{"cursor":"9","end":true,"more":true}"#),
            FeedLine::End { more: true, .. }
        ));
        for broken in [
            "",
            "{",
            "[]",
            r#"{"op":"put"}"#,
            r#"{"cursor":"1","op":"put"}"#,
            r#"{"cursor":"1","end":false}"#,
        ] {
            assert!(
                matches!(parse(broken.as_bytes()), FeedLine::Broken),
                "{broken}"
            );
        }
    }
}
