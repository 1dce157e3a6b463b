// A clock that a test moves: what `Timers` needs of a platform.

export class VirtualClock {
  at = 0;
  /** When the one timer is set for. */
  wakeTime: number | null = null;
  wake: () => void = () => {};

  readonly now = (): number => this.at;
  readonly wakeAt = (at: number | null): void => {
    this.wakeTime = at;
  };

  /** Moves time forward, waking whoever asked for it on the way. */
  advance(ms: number): void {
    const end = this.at + ms;
    while (this.wakeTime !== null && this.wakeTime <= end) {
      this.at = Math.max(this.at, this.wakeTime);
      this.wakeTime = null;
      this.wake();
    }
    this.at = end;
  }
}
