// One signature from the sentence to the receipt: what you sign, key, PIN, touch, sending, done.

import type { Backend } from '$lib/backend/backend';
import { asProblem } from '$lib/backend/problem';
import type { DecideOutcome } from '$lib/bindings/DecideOutcome';
import type { DecideRequest } from '$lib/bindings/DecideRequest';
import type { DecisionPreview } from '$lib/bindings/DecisionPreview';
import type { Problem } from '$lib/bindings/Problem';
import type { Ceremony } from '$lib/key/ceremony.svelte';
import { Keys } from '$lib/key/keys.svelte';

export type Step = 'sentence' | 'key' | 'signing' | 'failed' | 'done';

/** What is asked to be signed; the key is chosen on the way. */
export type Asked = Omit<DecideRequest, 'key'>;

export class Signing {
  asked = $state.raw<Asked | null>(null);
  step = $state<Step>('sentence');
  preview = $state<DecisionPreview | null>(null);
  problem = $state<Problem | null>(null);
  outcome = $state<DecideOutcome | null>(null);
  readonly keys: Keys;
  readonly ceremony: Ceremony;
  readonly #backend: Backend;
  #signed: (outcome: DecideOutcome) => void = () => undefined;

  constructor(backend: Backend, ceremony: Ceremony) {
    this.#backend = backend;
    this.ceremony = ceremony;
    this.keys = new Keys(backend);
  }

  /** Whether closing still means that nothing was signed. */
  get revocable(): boolean {
    return !(this.step === 'signing' && this.ceremony.stage?.stage === 'sending');
  }

  /** Opens the dialog; `signed` is told once what was signed is in the log. */
  async begin(asked: Asked, signed: (outcome: DecideOutcome) => void): Promise<void> {
    if (this.asked !== null || this.ceremony.running) return;
    this.asked = asked;
    this.#signed = signed;
    this.step = 'sentence';
    this.outcome = null;
    await this.look();
  }

  /** Fetches the sentence. */
  async look(): Promise<void> {
    const asked = this.asked;
    if (!asked) return;
    this.preview = null;
    this.problem = null;
    try {
      const preview = await this.#backend.call('preview_decision', {
        request: { ...asked, key: this.keys.chosen ?? '' },
      });
      if (this.asked === asked) this.preview = preview;
    } catch (thrown) {
      if (this.asked === asked) this.problem = asProblem(thrown);
    }
  }

  toKey(): void {
    if (this.preview) this.step = 'key';
  }

  /** Signs with the chosen key. */
  async sign(): Promise<void> {
    const asked = this.asked;
    const key = this.keys.chosen;
    if (!asked || key === null || this.preview === null) return;
    this.step = 'signing';
    const outcome = await this.ceremony.run(() =>
      this.#backend.call('decide', { request: { ...asked, key } }),
    );
    const signed = this.#signed;
    if (outcome) signed(outcome);
    if (this.asked !== asked) return;
    if (outcome) {
      this.outcome = outcome;
      this.step = 'done';
    } else if (this.ceremony.problem) {
      this.problem = this.ceremony.problem;
      this.step = 'failed';
    } else {
      this.#end();
    }
  }

  /** From an error back to the key. */
  retry(): void {
    this.problem = null;
    this.step = 'key';
  }

  /** Closes; cancels the key where it still waits. */
  async close(): Promise<void> {
    if (!this.revocable) return;
    this.#end();
    await this.ceremony.cancel();
  }

  #end(): void {
    this.asked = null;
    this.preview = null;
    this.problem = null;
    this.outcome = null;
    this.keys.list = null;
  }
}
