/**
 * The engine's order. A module says an opcode, its operands, the next opcode; gzip finds far more in it where all
 * opcodes stand together, and the operands of each opcode: a sixth of the engine. So it is packed in that order, and
 * put back into its own here.
 *
 * Whoever packs and whoever unpacks walks through the same module: what a byte is follows from those before it. The
 * binary format is that of the WebAssembly Core Specification, 5.
 */

/** Kinds of bytes: the first operand of an opcode is of the kind of its opcode's number; what is none, of these. */
const SECOND_OPERAND = 256;
const OPCODE = 257;
const LOCAL = 258;
const OUTSIDE = 259;
/** @internal How many kinds there are. */
export const KINDS = 260;

const PREAMBLE_BYTES = 8;
const CODE_SECTION = 10;

const [BLOCK, IF, END, BR_TABLE, TYPED_SELECT] = [0x02, 0x04, 0x0b, 0x0e, 0x1c];
const [F32_CONST, F64_CONST, PREFIX] = [0x43, 0x44, 0xfc];
/** Behind the prefix: from here on instructions have operands, up to there every second one has two. */
const [MEMORY_INIT, TABLE_COPY] = [8, 14];

/** From an opcode to another, how many numbers are the operands. */
const OPERANDS = new Uint8Array(256);
for (const [first, last, numbers] of [
  [BLOCK, IF, 1],
  [0x0c, 0x0d, 1], // br, br_if
  [0x10, 0x10, 1], // call
  [0x11, 0x11, 2], // call_indirect
  [0x20, 0x26, 1], // local.*, global.*, table.*
  [0x28, 0x3e, 2], // loads and stores
  [0x3f, 0x42, 1], // memory.size, memory.grow, i32.const, i64.const
  [0xd0, 0xd0, 1], // ref.null
  [0xd2, 0xd2, 1], // ref.func
] as const) {
  OPERANDS.fill(numbers, first, last + 1);
}

/** @internal A module on its way from one order into the other. */
export interface Passage {
  /** Passes on the next byte, which is of this kind. */
  take(kind: number): number;
  /** Whether all have been. */
  isDone(): boolean;
  /** A function begins. Its length stands before it in the module alone: where it ends, its code says. */
  begin(): void;
  /** It is over. */
  end(): void;
}

/** @internal Passes on a whole module. */
export function walk({ take, isDone, begin, end }: Passage): void {
  const bytes = (kind: number, count: number) => {
    while (count-- > 0) take(kind);
  };
  /** LEB128. */
  const number = (kind: number) => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = take(kind);
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  /** The same, where it does not matter which. */
  const numbers = (kind: number, count: number) => {
    while (count > 0) if (take(kind) < 0x80) count--;
  };
  const operands = (opcode: number) => {
    const count = OPERANDS[opcode]!;
    if (count > 0) {
      numbers(opcode, 1);
      if (count > 1) numbers(SECOND_OPERAND, 1);
    } else if (opcode === F32_CONST) bytes(opcode, 4);
    else if (opcode === F64_CONST) bytes(opcode, 8);
    else if (opcode === BR_TABLE) numbers(opcode, number(opcode) + 1);
    else if (opcode === TYPED_SELECT) bytes(opcode, number(opcode));
    else if (opcode === PREFIX) {
      const instruction = number(opcode);
      if (instruction >= MEMORY_INIT) numbers(opcode, instruction <= TABLE_COPY && instruction % 2 === 0 ? 2 : 1);
    }
  };
  const body = () => {
    begin();
    for (let groups = number(LOCAL); groups > 0; groups--) {
      numbers(LOCAL, 1);
      take(LOCAL);
    }
    for (let depth = 1; depth > 0; ) {
      const opcode = take(OPCODE);
      if (opcode >= BLOCK && opcode <= IF) depth++;
      if (opcode === END) depth--;
      operands(opcode);
    }
    end();
  };

  bytes(OUTSIDE, PREAMBLE_BYTES);
  while (!isDone()) {
    const section = take(OUTSIDE);
    const length = number(OUTSIDE);
    if (section !== CODE_SECTION) bytes(OUTSIDE, length);
    else for (let functions = number(OUTSIDE); functions > 0; functions--) body();
  }
}

/**
 * The module of what was sorted: how many bytes there are of each kind, then how many the module has, in 32 bits
 * each, the lowest first; then those of each kind. The build of this very package sorted it, so nothing is checked.
 */
export function unpack(sorted: ArrayBuffer): Uint8Array<ArrayBuffer> {
  const head = new DataView(sorted);
  const length = (kind: number) => head.getUint32(4 * kind, true);
  const from = new Uint8Array(sorted);
  const next = new Uint32Array(KINDS);
  for (let kind = 0, at = 4 * (KINDS + 1); kind < KINDS; at += length(kind++)) next[kind] = at;
  const module = new Uint8Array(length(KINDS));
  let at = 0;
  let start = 0;
  walk({
    take: (kind) => (module[at++] = from[next[kind]!++]!),
    isDone: () => at === module.length,
    begin() {
      start = at;
    },
    end() {
      const bytes = at - start;
      const width = bytes < 0x80 ? 1 : bytes < 0x4000 ? 2 : 3;
      module.copyWithin(start + width, start, at);
      for (let place = 0; place < width; place++) {
        module[start + place] = ((bytes >> (7 * place)) & 0x7f) | (place < width - 1 ? 0x80 : 0);
      }
      at += width;
    },
  });
  return module;
}
