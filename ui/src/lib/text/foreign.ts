// Text that others wrote (agents, systems' names, certificates): shown, never obeyed.

const LENGTH_MAX = 4_000;

// Controls, bidirectional overrides and isolates, and invisible characters: what could reorder a
// line or hide part of it. Tabs and line breaks are left to the caller's layout.
const HIDDEN =
  // eslint-disable-next-line no-control-regex -- they are what is looked for
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]/gu;

/** The text with every hidden character made visible, and cut at `max` characters. */
export function visible(text: string, max = LENGTH_MAX): string {
  const shown = text.replace(HIDDEN, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return `⟨U+${code.toString(16).toUpperCase().padStart(4, '0')}⟩`;
  });
  const characters = [...shown];
  if (characters.length <= max) return shown;
  return `${characters.slice(0, max).join('')}… (${(characters.length - max).toLocaleString('en')} more)`;
}
