// Light, dark, or what the system says.

export const THEMES = ['system', 'light', 'dark'] as const;
export type ThemeChoice = (typeof THEMES)[number];

const STORED = 'countersign.theme';

function stored(): ThemeChoice {
  const found = window.localStorage.getItem(STORED);
  return THEMES.find((theme) => theme === found) ?? 'system';
}

export class Theme {
  choice = $state<ThemeChoice>('system');
  #system = window.matchMedia('(prefers-color-scheme: dark)');
  #system_dark = $state(false);
  readonly shown: 'light' | 'dark' = $derived(
    this.choice === 'system' ? (this.#system_dark ? 'dark' : 'light') : this.choice,
  );

  /** Follows the system; returns how to stop. */
  start(): () => void {
    this.choice = stored();
    this.#system_dark = this.#system.matches;
    const follow = (event: MediaQueryListEvent) => (this.#system_dark = event.matches);
    this.#system.addEventListener('change', follow);
    return () => {
      this.#system.removeEventListener('change', follow);
    };
  }

  next(): void {
    this.choice = THEMES[(THEMES.indexOf(this.choice) + 1) % THEMES.length] ?? 'system';
    window.localStorage.setItem(STORED, this.choice);
  }
}
