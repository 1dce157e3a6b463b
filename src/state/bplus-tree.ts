// A persistent B+ tree keyed by strings, after Bayer & McCreight (1972) with the copying of Driscoll et al. (1989).
// A node belongs to the edition that made it. The tree changes nodes of its own edition in place and copies others;
// `snapshot` keeps the root and begins a new edition, so it costs nothing and later writes copy a path once.
// Invariants: (1) leaves are at one depth; (2) a branch with n children has n - 1 keys, and keys[i] is at most the least
// key under children[i + 1] and above every key under children[i]; (3) no node but the root is empty;
// (4) a node's weight is the greatest weight under it.
// Splits at the right edge leave the left node full, so that loading in order packs the leaves.

import { assert } from "../util/assert.ts";
import type { OrderedMap, OrderedMapSnapshot, OrderedMapView } from "./ordered-map.ts";

const NODE_MAX = 64;
const NODE_MIN = 21;

/** A leaf has values, a branch has children: the other is null. One class, so that every access sees one shape. */
class TreeNode<V> {
  edition: number;
  keys: string[];
  values: V[] | null;
  children: TreeNode<V>[] | null;
  weight: number;
  constructor(edition: number, keys: string[], values: V[] | null, children: TreeNode<V>[] | null, weight: number) {
    this.edition = edition;
    this.keys = keys;
    this.values = values;
    this.children = children;
    this.weight = weight;
  }
}

/** The first position whose key is at or above `key`. */
function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keys[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The first position whose key is above `key`: of separators, the child that holds `key`. */
function upperBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keys[middle]! <= key) low = middle + 1;
    else high = middle;
  }
  return low;
}

function greatestWeight<V>(values: readonly V[], from: number, to: number, weigh: (value: V) => number): number {
  let greatest = 0;
  for (let i = from; i < to; i++) {
    const weight = weigh(values[i]!);
    if (weight > greatest) greatest = weight;
  }
  return greatest;
}

function greatestChild<V>(children: readonly TreeNode<V>[]): number {
  let greatest = 0;
  for (const child of children) if (child.weight > greatest) greatest = child.weight;
  return greatest;
}

/** Walks the leaves of one root in order. */
class Scan<V> implements IterableIterator<[string, V]> {
  #branches: TreeNode<V>[] = [];
  #positions: number[] = [];
  #leaf: TreeNode<V>;
  #position: number;
  #to: string | null;
  constructor(root: TreeNode<V>, from: string | null, to: string | null) {
    let node = root;
    while (node.children !== null) {
      const position = from === null ? 0 : upperBound(node.keys, from);
      this.#branches.push(node);
      this.#positions.push(position);
      node = node.children[position]!;
    }
    this.#leaf = node;
    this.#position = from === null ? 0 : lowerBound(node.keys, from);
    this.#to = to;
  }
  [Symbol.iterator](): this {
    return this;
  }
  next(): IteratorResult<[string, V], undefined> {
    while (this.#position >= this.#leaf.keys.length) {
      if (!this.#nextLeaf()) return { done: true, value: undefined };
    }
    const key = this.#leaf.keys[this.#position]!;
    if (this.#to !== null && key >= this.#to) return { done: true, value: undefined };
    const value = this.#leaf.values![this.#position]!;
    this.#position++;
    return { done: false, value: [key, value] };
  }
  #nextLeaf(): boolean {
    for (let depth = this.#branches.length - 1; depth >= 0; depth--) {
      const position = this.#positions[depth]! + 1;
      const branch = this.#branches[depth]!;
      if (position >= branch.children!.length) continue;
      this.#positions[depth] = position;
      let node = branch.children![position]!;
      for (let below = depth + 1; below < this.#branches.length; below++) {
        this.#branches[below] = node;
        this.#positions[below] = 0;
        node = node.children![0]!;
      }
      this.#leaf = node;
      this.#position = 0;
      return true;
    }
    return false;
  }
}

/** Reads of one root: a snapshot, and the reading half of the tree. */
class View<V> implements OrderedMapView<V> {
  protected root: TreeNode<V>;
  protected count: number;
  protected readonly weigh: ((value: V) => number) | undefined;
  constructor(root: TreeNode<V>, count: number, weigh: ((value: V) => number) | undefined) {
    this.root = root;
    this.count = count;
    this.weigh = weigh;
  }

  get size(): number {
    return this.count;
  }

  get(key: string): V | undefined {
    let node = this.root;
    while (node.children !== null) node = node.children[upperBound(node.keys, key)]!;
    const position = lowerBound(node.keys, key);
    return position < node.keys.length && node.keys[position] === key ? node.values![position] : undefined;
  }

  has(key: string): boolean {
    let node = this.root;
    while (node.children !== null) node = node.children[upperBound(node.keys, key)]!;
    const position = lowerBound(node.keys, key);
    return position < node.keys.length && node.keys[position] === key;
  }

  first(from: string | null = null): [string, V] | undefined {
    return new Scan(this.root, from, null).next().value;
  }

  last(): [string, V] | undefined {
    let node = this.root;
    while (node.children !== null) node = node.children[node.children.length - 1]!;
    const position = node.keys.length - 1;
    return position < 0 ? undefined : [node.keys[position]!, node.values![position]!];
  }

  scan(from: string | null = null, to: string | null = null): IterableIterator<[string, V]> {
    return new Scan(this.root, from, to);
  }

  visit(from: string | null, to: string | null, visit: (value: V, key: string) => boolean | void): void {
    visitNode(this.root, from, to, visit);
  }

  visitKeys(from: string | null, to: string | null, visit: (key: string) => boolean | void): void {
    visitNode(this.root, from, to, (_, key) => visit(key));
  }

  visitAbove(from: string | null, to: string | null, weight: number, visit: (value: V, key: string) => void): void {
    if (this.weigh !== undefined) visitHeavy(this.root, from, to, weight, this.weigh, visit);
  }

  maxWeight(from: string | null, to: string | null): number {
    if (this.weigh === undefined) return 0;
    return rangeWeight(this.root, from, to, this.weigh);
  }
}

function visitNode<V>(
  node: TreeNode<V>,
  from: string | null,
  to: string | null,
  visit: (value: V, key: string) => boolean | void,
): boolean {
  const { keys, children } = node;
  if (children === null) {
    const values = node.values!;
    const end = to === null ? keys.length : lowerBound(keys, to);
    for (let i = from === null ? 0 : lowerBound(keys, from); i < end; i++) {
      if (visit(values[i]!, keys[i]!) === false) return false;
    }
    return true;
  }
  const start = from === null ? 0 : upperBound(keys, from);
  const last = to === null ? keys.length : lowerBound(keys, to);
  for (let i = start; i <= last; i++) {
    if (!visitNode(children[i]!, i === start ? from : null, i === last ? to : null, visit)) return false;
  }
  return true;
}

function visitHeavy<V>(
  node: TreeNode<V>,
  from: string | null,
  to: string | null,
  above: number,
  weigh: (value: V) => number,
  visit: (value: V, key: string) => void,
): void {
  if (node.weight <= above) return;
  const { keys, children } = node;
  const isLeaf = children === null;
  const start = from === null ? 0 : isLeaf ? lowerBound(keys, from) : upperBound(keys, from);
  const last = to === null ? keys.length : lowerBound(keys, to);
  if (isLeaf) {
    const values = node.values!;
    for (let i = start; i < last; i++) if (weigh(values[i]!) > above) visit(values[i]!, keys[i]!);
    return;
  }
  for (let i = start; i <= last; i++)
    visitHeavy(children[i]!, i === start ? from : null, i === last ? to : null, above, weigh, visit);
}

function rangeWeight<V>(
  node: TreeNode<V>,
  from: string | null,
  to: string | null,
  weigh: (value: V) => number,
): number {
  if (from === null && to === null) return node.weight;
  const { keys, children } = node;
  if (children === null) {
    const start = from === null ? 0 : lowerBound(keys, from);
    const end = to === null ? keys.length : lowerBound(keys, to);
    return greatestWeight(node.values!, start, end, weigh);
  }
  const start = from === null ? 0 : upperBound(keys, from);
  const last = to === null ? keys.length : lowerBound(keys, to);
  let greatest = 0;
  for (let i = start; i <= last; i++) {
    const child = children[i]!;
    if (child.weight <= greatest) continue;
    const weight = rangeWeight(child, i === start ? from : null, i === last ? to : null, weigh);
    if (weight > greatest) greatest = weight;
  }
  return greatest;
}

/** The tree of the header. */
export class BPlusTree<V> extends View<V> implements OrderedMap<V> {
  #edition = 0;
  /** What the last `set` or `delete` found, while the recursion comes back. */
  #previous: V | undefined = undefined;

  constructor(weigh?: (value: V) => number) {
    super(new TreeNode<V>(0, [], [], null, 0), 0, weigh);
  }

  snapshot(): OrderedMapSnapshot<V> {
    this.#edition++;
    return new View<V>(this.root, this.count, this.weigh);
  }

  set(key: string, value: V): V | undefined {
    this.#previous = undefined;
    const root = this.#own(this.root);
    const right = this.#insert(root, key, value, this.weigh === undefined ? 0 : this.weigh(value), true);
    this.root =
      right === null
        ? root
        : new TreeNode<V>(this.#edition, [leastKey(right)], null, [root, right], Math.max(root.weight, right.weight));
    const previous = this.#previous;
    this.#previous = undefined;
    return previous;
  }

  delete(key: string): V | undefined {
    if (!this.has(key)) return undefined;
    this.#previous = undefined;
    let root = this.#own(this.root);
    this.#remove(root, key);
    while (root.children !== null && root.children.length === 1) root = root.children[0]!;
    this.root = root;
    this.count--;
    const previous = this.#previous;
    this.#previous = undefined;
    return previous;
  }

  /** The node itself when it is of this edition, else a copy that is. */
  #own(node: TreeNode<V>): TreeNode<V> {
    if (node.edition === this.#edition) return node;
    return new TreeNode<V>(
      this.#edition,
      node.keys.slice(),
      node.values === null ? null : node.values.slice(),
      node.children === null ? null : node.children.slice(),
      node.weight,
    );
  }

  /** Inserts under an owned node; gives the new right sibling when the node was split. */
  #insert(node: TreeNode<V>, key: string, value: V, weight: number, rightEdge: boolean): TreeNode<V> | null {
    const { keys, children } = node;
    if (children === null) return this.#insertIntoLeaf(node, key, value, weight, rightEdge);
    const position = upperBound(keys, key);
    const before = children[position]!.weight;
    const child = this.#own(children[position]!);
    children[position] = child;
    const atRightEdge = rightEdge && position === keys.length;
    const right = this.#insert(child, key, value, weight, atRightEdge);
    if (right !== null) {
      keys.splice(position, 0, leastKey(right));
      children.splice(position + 1, 0, right);
    }
    if (weight >= node.weight) node.weight = weight;
    else if (before === node.weight && child.weight < before) node.weight = greatestChild(children);
    if (children.length <= NODE_MAX) return null;
    const at = atRightEdge ? children.length - 2 : children.length >>> 1;
    const rightChildren = children.splice(at);
    const rightKeys = keys.splice(at);
    keys.pop();
    const sibling = new TreeNode<V>(this.#edition, rightKeys, null, rightChildren, greatestChild(rightChildren));
    node.weight = greatestChild(children);
    return sibling;
  }

  #insertIntoLeaf(leaf: TreeNode<V>, key: string, value: V, weight: number, rightEdge: boolean): TreeNode<V> | null {
    const { keys } = leaf;
    const values = leaf.values!;
    const position = lowerBound(keys, key);
    if (position < keys.length && keys[position] === key) {
      const previous = values[position]!;
      this.#previous = previous;
      values[position] = value;
      this.#reweigh(leaf, previous, weight);
      return null;
    }
    this.count++;
    if (position === keys.length && keys.length >= NODE_MAX && rightEdge) {
      return new TreeNode<V>(this.#edition, [key], [value], null, weight);
    }
    if (weight > leaf.weight) leaf.weight = weight;
    if (position === keys.length) {
      keys.push(key);
      values.push(value);
    } else {
      keys.splice(position, 0, key);
      values.splice(position, 0, value);
    }
    if (keys.length <= NODE_MAX) return null;
    const at = keys.length >>> 1;
    const rightKeys = keys.slice(at);
    const rightValues = values.slice(at);
    // Slices are as long as what they hold; an array that shrank would keep its room.
    leaf.keys = keys.slice(0, at);
    leaf.values = values.slice(0, at);
    const weigh = this.weigh;
    const sibling = new TreeNode<V>(this.#edition, rightKeys, rightValues, null, 0);
    if (weigh !== undefined) {
      sibling.weight = greatestWeight(rightValues, 0, rightValues.length, weigh);
      leaf.weight = greatestWeight(leaf.values, 0, at, weigh);
    }
    return sibling;
  }

  /** Sets a leaf's weight after a value of it was replaced by one of weight `weight`, or removed when that is 0. */
  #reweigh(leaf: TreeNode<V>, previous: V, weight: number): void {
    const weigh = this.weigh;
    if (weigh === undefined) return;
    if (weight >= leaf.weight) leaf.weight = weight;
    else if (weigh(previous) === leaf.weight) leaf.weight = greatestWeight(leaf.values!, 0, leaf.values!.length, weigh);
  }

  /** Removes a key that is under an owned node. */
  #remove(node: TreeNode<V>, key: string): void {
    const { keys, children } = node;
    if (children === null) {
      const position = lowerBound(keys, key);
      assert(keys[position] === key, "the key is in the leaf");
      const values = node.values!;
      const previous = values[position]!;
      this.#previous = previous;
      keys.splice(position, 1);
      values.splice(position, 1);
      this.#reweigh(node, previous, 0);
      return;
    }
    const position = upperBound(keys, key);
    const before = children[position]!.weight;
    const child = this.#own(children[position]!);
    children[position] = child;
    this.#remove(child, key);
    if (before === node.weight && child.weight < before) node.weight = greatestChild(children);
    const length = child.children === null ? child.keys.length : child.children.length;
    if (length < NODE_MIN && children.length > 1) this.#rebalance(node, position === 0 ? 0 : position - 1);
  }

  /** Merges children `at` and `at + 1` of an owned branch, or shares their entries evenly when one node is too small. */
  #rebalance(node: TreeNode<V>, at: number): void {
    const children = node.children!;
    const left = children[at]!;
    const right = children[at + 1]!;
    const separator = node.keys[at]!;
    if (left.children === null) {
      const keys = left.keys.concat(right.keys);
      const values = left.values!.concat(right.values!);
      this.#replacePair(node, at, keys.length, (from, to) => {
        const part = values.slice(from, to);
        const weight = this.weigh === undefined ? 0 : greatestWeight(part, 0, part.length, this.weigh);
        return new TreeNode<V>(this.#edition, keys.slice(from, to), part, null, weight);
      });
      return;
    }
    const keys = [...left.keys, separator, ...right.keys];
    const grandchildren = left.children.concat(right.children!);
    this.#replacePair(node, at, grandchildren.length, (from, to) => {
      const part = grandchildren.slice(from, to);
      return new TreeNode<V>(this.#edition, keys.slice(from, to - 1), null, part, greatestChild(part));
    });
  }

  #replacePair(node: TreeNode<V>, at: number, length: number, make: (from: number, to: number) => TreeNode<V>): void {
    const children = node.children!;
    if (length <= NODE_MAX) {
      children.splice(at, 2, make(0, length));
      node.keys.splice(at, 1);
      return;
    }
    const half = length >>> 1;
    const right = make(half, length);
    children.splice(at, 2, make(0, half), right);
    node.keys[at] = leastKey(right);
  }
}

/** The least key under a node that is not empty. */
function leastKey<V>(node: TreeNode<V>): string {
  let below = node;
  while (below.children !== null) below = below.children[0]!;
  return below.keys[0]!;
}
