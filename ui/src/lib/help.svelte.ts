// Whether the list of keys is open; any screen may open it.

class Help {
  isOpen = $state(false);
}

export const help = new Help();
