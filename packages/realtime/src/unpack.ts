/**
 * Unpacks the engine. LZMA is a sixth smaller than the gzip that hosts inflate by themselves, which is several times
 * what this decoder adds. It takes some tens of milliseconds.
 *
 * The format is that of `.lzma` files with the usual properties (lc 3, lp 0, pb 2) and a known length, after the
 * LZMA specification of 7-Zip. The text was packed by the build of this very package, so nothing is checked.
 */

/** Places of the probabilities: the bits of one kind each, by state and position or as a tree. */
const IS_MATCH = 0;
const IS_REPEAT = 48;
const IS_REPEAT_OF_EARLIER = 60;
const IS_REPEAT_OF_THIRD = 72;
const IS_REPEAT_OF_FOURTH = 84;
const IS_LONG_REPEAT = 96;
const SLOT = 144;
const DISTANCE = 400;
const ALIGNMENT = 528;
const LENGTH = 544;
const LENGTH_OF_REPEAT = 866;
const LITERAL = 1188;
const PROBABILITIES = LITERAL + 8 * 0x300;

/** Bytes before the stream: the properties, the dictionary's size, and the length in eight. */
const HEADER = 13;
const LENGTH_AT = 5;
/** What the decoder holds. */
const RANGE = 0;
const CODE = 1;
/** Below this the range takes in another byte. */
const RANGE_MIN = 2 ** 24;

/** The bytes that were packed. */
export function unpack(packed: Uint8Array): Uint8Array<ArrayBuffer> {
  const view = new DataView(packed.buffer, packed.byteOffset);
  const out = new Uint8Array(view.getUint32(LENGTH_AT, true));
  const probabilities = new Uint16Array(PROBABILITIES).fill(1024);
  let next = HEADER + 5;
  // Unsigned by being of an array, which is also several times faster than variables would be. The stream's first
  // byte is 0.
  const coder = Uint32Array.of(2 ** 32 - 1, view.getUint32(HEADER + 1));

  /** Whether the code is above the bound, which halves the range by its share. */
  const split = (bound: number) => {
    const is = coder[CODE]! < bound ? 0 : 1;
    if (is) {
      coder[RANGE]! -= bound;
      coder[CODE]! -= bound;
    } else {
      coder[RANGE] = bound;
    }
    if (coder[RANGE]! < RANGE_MIN) {
      coder[RANGE]! <<= 8;
      coder[CODE] = (coder[CODE]! << 8) | packed[next++]!;
    }
    return is;
  };
  const bit = (at: number) => {
    const probability = probabilities[at]!;
    const is = split((coder[RANGE]! >>> 11) * probability);
    probabilities[at] = probability + ((is ? 31 - probability : 2048 - probability) >> 5);
    return is;
  };
  /** A number of so many bits, the highest first. */
  const tree = (at: number, bits: number) => {
    let node = 1;
    while (node >> bits === 0) node = (node << 1) | bit(at + node);
    return node - (1 << bits);
  };
  /** The lowest first. */
  const reversed = (at: number, bits: number) => {
    let number = 0;
    for (let node = 1, place = 0; place < bits; place++) {
      const is = bit(at + node);
      node = (node << 1) | is;
      number |= is << place;
    }
    return number;
  };
  /** Bits that are as likely set as not. */
  const plain = (bits: number) => {
    let number = 0;
    while (bits--) {
      // Two halves of the same size.
      coder[RANGE]! &= -2;
      number = (number << 1) | split(coder[RANGE]! >>> 1);
    }
    return number;
  };
  const length = (at: number, position: number) => {
    if (!bit(at)) return 2 + tree(at + 2 + 8 * position, 3);
    if (!bit(at + 1)) return 10 + tree(at + 34 + 8 * position, 3);
    return 18 + tree(at + 66, 8);
  };
  const distance = (length: number) => {
    const slot = tree(SLOT + 64 * Math.min(length - 2, 3), 6);
    if (slot < 4) return slot;
    const bits = (slot >> 1) - 1;
    const base = (2 | (slot & 1)) << bits;
    if (slot < 14) return base + reversed(DISTANCE + base - slot, bits);
    return base + (plain(bits - 4) << 4) + reversed(ALIGNMENT, 4);
  };

  let state = 0;
  /** The last distances, the latest first; each is one less than it says. */
  let [first, second, third, fourth] = [0, 0, 0, 0];
  for (let at = 0; at < out.length; ) {
    const position = at & 3;
    if (!bit(IS_MATCH + 4 * state + position)) {
      const model = LITERAL + 0x300 * ((out[at - 1] ?? 0) >> 5);
      let node = 1;
      // After a match its next byte is likely not the one that follows.
      for (let other = out[at - first - 1]!; state > 6 && node < 0x100; other <<= 1) {
        const expected = (other >> 7) & 1;
        const is = bit(model + ((1 + expected) << 8) + node);
        node = (node << 1) | is;
        if (is !== expected) break;
      }
      while (node < 0x100) node = (node << 1) | bit(model + node);
      out[at++] = node;
      state = state < 4 ? 0 : state < 10 ? state - 3 : state - 6;
      continue;
    }
    const afterMatch = state > 6;
    let count: number;
    if (!bit(IS_REPEAT + state)) {
      [second, third, fourth] = [first, second, third];
      count = length(LENGTH, position);
      first = distance(count);
      state = afterMatch ? 10 : 7;
    } else {
      const isEarlier = bit(IS_REPEAT_OF_EARLIER + state);
      if (isEarlier) {
        if (!bit(IS_REPEAT_OF_THIRD + state)) [first, second] = [second, first];
        else if (!bit(IS_REPEAT_OF_FOURTH + state)) [first, second, third] = [third, first, second];
        else [first, second, third, fourth] = [fourth, first, second, third];
      }
      if (isEarlier || bit(IS_LONG_REPEAT + 4 * state + position)) {
        count = length(LENGTH_OF_REPEAT, position);
        state = afterMatch ? 11 : 8;
      } else {
        count = 1;
        state = afterMatch ? 11 : 9;
      }
    }
    for (; count > 0; count--) out[at] = out[at++ - first - 1]!;
  }
  return out;
}
