// What a hardware key asks for while a command signs with it: a PIN, a touch. One at a time.

import type { Backend } from '$lib/backend/backend';
import { asProblem } from '$lib/backend/problem';
import type { KeyStage } from '$lib/bindings/KeyStage';
import type { Problem } from '$lib/bindings/Problem';

export class Ceremony {
  stage = $state<KeyStage | null>(null);
  running = $state(false);
  problem = $state<Problem | null>(null);
  readonly #backend: Backend;
  #cancelled = false;

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  /** Follows the key; returns how to stop. */
  start(): () => void {
    return this.#backend.on('key', (stage) => {
      if (this.running) this.stage = stage;
    });
  }

  /** Runs a command that signs. Null where it failed (then `problem` says why) or was cancelled. */
  async run<T>(command: () => Promise<T>): Promise<T | null> {
    if (this.running) return null;
    this.running = true;
    this.#cancelled = false;
    this.problem = null;
    this.stage = { stage: 'working' };
    try {
      return await command();
    } catch (thrown) {
      this.problem = this.#cancelled ? null : asProblem(thrown);
      return null;
    } finally {
      this.running = false;
      this.stage = null;
    }
  }

  async givePin(pin: string): Promise<void> {
    this.stage = { stage: 'working' };
    await this.#tell(() => this.#backend.call('give_pin', { pin }));
  }

  async touch(): Promise<void> {
    await this.#tell(() => this.#backend.call('touch_demonstration_key'));
  }

  /** Nothing is signed, unless it was already being sent. */
  async cancel(): Promise<void> {
    if (!this.running) return;
    this.#cancelled = true;
    await this.#tell(() => this.#backend.call('cancel_key'));
  }

  async #tell(command: () => Promise<unknown>): Promise<void> {
    try {
      await command();
    } catch (thrown) {
      this.problem = asProblem(thrown);
    }
  }
}
