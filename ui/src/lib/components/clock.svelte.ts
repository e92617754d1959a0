// The time, once a second, as the backend's clock has it.

export class Clock {
  now_ms = $state(Date.now());
  #offset_ms = 0;

  /** Starts ticking; returns how to stop. */
  start(): () => void {
    const timer = setInterval(() => {
      this.#tick();
    }, 1_000);
    return () => {
      clearInterval(timer);
    };
  }

  /** The backend's clock minus this machine's. */
  set offset_ms(offset_ms: number) {
    this.#offset_ms = offset_ms;
    this.#tick();
  }

  #tick(): void {
    this.now_ms = Date.now() + this.#offset_ms;
  }
}
