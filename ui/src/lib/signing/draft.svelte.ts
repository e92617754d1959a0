// What an approver is writing about an item, kept in memory while the window lives: it survives
// looking elsewhere and a lost connection. Nothing of it is signed or sent before the key is touched.

import { SvelteSet } from 'svelte/reactivity';
import type { RiskLevel } from '$lib/words/words';

export class Draft {
  rationale = $state('');
  risk = $state<RiskLevel | null>(null);
  /** Clauses ticked as seen. */
  readonly acknowledged = new SvelteSet<string>();
  /** The targets that remain, where less is to be approved. */
  narrowed = $state.raw<string[] | null>(null);
  /** The bytes that the ticks are about. */
  shown = $state<string | null>(null);

  /** Ticks and narrowing were about bytes; about other bytes they say nothing. True where some went. */
  about(shown: string): boolean {
    if (this.shown === shown) return false;
    const stale = this.shown !== null && (this.acknowledged.size > 0 || this.narrowed !== null);
    this.shown = shown;
    this.acknowledged.clear();
    this.narrowed = null;
    return stale;
  }

  clear(): void {
    this.rationale = '';
    this.risk = null;
    this.acknowledged.clear();
    this.narrowed = null;
  }
}

export class Drafts {
  // eslint-disable-next-line svelte/prefer-svelte-reactivity -- drafts change, this does not
  readonly #drafts = new Map<string, Draft>();

  of(id: string): Draft {
    const known = this.#drafts.get(id);
    if (known) return known;
    const draft = new Draft();
    this.#drafts.set(id, draft);
    return draft;
  }

  /** What was signed is no longer a draft. */
  drop(id: string): void {
    this.#drafts.get(id)?.clear();
  }

  clear(): void {
    for (const draft of this.#drafts.values()) draft.clear();
    this.#drafts.clear();
  }
}
