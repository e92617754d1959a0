// The frame around every screen: which backend, whether it answers, what was verified, who is here.

import type { Backend } from '$lib/backend/backend';
import { asProblem } from '$lib/backend/problem';
import type { BackendView } from '$lib/bindings/BackendView';
import type { FrameView } from '$lib/bindings/FrameView';
import type { Problem } from '$lib/bindings/Problem';
import type { SessionView } from '$lib/bindings/SessionView';

export class Frame {
  view = $state<FrameView | null>(null);
  problem = $state<Problem | null>(null);
  readonly #backend: Backend;

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  get backend(): BackendView | null {
    return this.view?.backend ?? null;
  }

  get session(): SessionView | null {
    return this.view?.session ?? null;
  }

  get lost(): boolean {
    return this.backend?.connection.state === 'lost';
  }

  /** What the log contradicts; approving is stopped while there is something. */
  get alarm(): string | null {
    return this.backend?.witness.state === 'alarm' ? this.backend.witness.reason : null;
  }

  /** Demonstration keys and a demonstration backend sign nothing real. */
  get demonstration(): boolean {
    return this.backend?.demonstration ?? this.view?.demonstration_build ?? false;
  }

  /** Follows connection and witness; returns how to stop. */
  start(): () => void {
    const stops = [
      this.#backend.on('connection', (connection) => {
        if (this.backend) this.backend.connection = connection;
        else void this.load();
      }),
      this.#backend.on('witness', (witness) => {
        if (this.backend) this.backend.witness = witness;
        else void this.load();
      }),
    ];
    void this.load();
    return () => {
      for (const stop of stops) stop();
    };
  }

  async load(): Promise<void> {
    await this.#take(() => this.#backend.call('frame'));
  }

  async connect(url: string, genesis: string): Promise<void> {
    await this.#take(() =>
      this.#backend.call('connect', genesis === '' ? { url } : { url, genesis }),
    );
  }

  async signOut(): Promise<void> {
    await this.#take(() => this.#backend.call('sign_out'));
  }

  async #take(ask: () => Promise<FrameView>): Promise<void> {
    try {
      this.view = await ask();
      this.problem = null;
    } catch (thrown) {
      this.problem = asProblem(thrown);
    }
  }
}
