// What metrics are made of: a counter and a sample, which hot paths hold and add to. Adding allocates nothing and asks no
// clock: who reads them divides time into intervals by calling `end`. Figures are those of Consul's in-memory sink.
import { Histogram } from "./histogram.ts";

/** What one interval came to. All of it is 0 when nothing was added. */
export interface Figures {
  count: number;
  sum: number;
  sumOfSquares: number;
  min: number;
  max: number;
}

/** A label's name and value; the order counts. */
export type Labels = readonly (readonly [name: string, value: string])[];

/** Where instruments come from: each is known by its name and labels, and made once. */
export interface Meter {
  /** @param name Consul's, without the prefix, such as `raft.apply`; @param help one sentence. */
  counter(name: string, help: string, labels?: Labels): Counter;
  /** Milliseconds, unless the help says otherwise. */
  sample(name: string, help: string, labels?: Labels): Sample;
}

/** Counts, and adds up what it is given. */
export class Counter {
  #count = 0;
  #sum = 0;
  #sumOfSquares = 0;
  #min = 0;
  #max = 0;
  #endedCount = 0;
  #endedSum = 0;

  /** Adds to the interval under way. */
  add(value: number): void {
    if (this.#count === 0) {
      this.#min = value;
      this.#max = value;
    } else if (value < this.#min) this.#min = value;
    else if (value > this.#max) this.#max = value;
    this.#count += 1;
    this.#sum += value;
    this.#sumOfSquares += value * value;
  }

  /** The interval under way. */
  get figures(): Figures {
    return {
      count: this.#count,
      sum: this.#sum,
      sumOfSquares: this.#sumOfSquares,
      min: this.#min,
      max: this.#max,
    };
  }

  /** How often something was added since the start. */
  get totalCount(): number {
    return this.#endedCount + this.#count;
  }

  /** The sum of all that was added since the start. */
  get totalSum(): number {
    return this.#endedSum + this.#sum;
  }

  /** Ends the interval under way and begins the next one. */
  end(): Figures {
    const { figures } = this;
    this.#endedCount += figures.count;
    this.#endedSum += figures.sum;
    this.#count = 0;
    this.#sum = 0;
    this.#sumOfSquares = 0;
    this.#min = 0;
    this.#max = 0;
    return figures;
  }
}

/** A counter that also knows how its values are spread. */
export class Sample extends Counter {
  #current = new Histogram();
  #last = new Histogram();

  override add(value: number): void {
    super.add(value);
    this.#current.add(value);
  }

  /** The value below which a share `q` lies, in the interval under way and the one before; NaN when both are empty. */
  quantile(q: number): number {
    return this.#current.quantile(q, this.#last);
  }

  override end(): Figures {
    const ended = this.#current;
    this.#current = this.#last;
    this.#current.clear();
    this.#last = ended;
    return super.end();
  }
}
