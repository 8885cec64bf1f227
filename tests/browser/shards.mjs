/** Splits a GGUF file into two, as llama.cpp's gguf-split does: the first has all metadata. */

const ALIGNMENT = 32;

/** Bytes of a metadata value, by its type's number; 0 for strings and arrays. */
const SIZES = [1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8];

/** Reads through a file's header. */
class Cursor {
  at = 24;
  /** @param {Buffer} file */
  constructor(file) {
    this.file = file;
  }

  /**
   * Moves on.
   * @param {number} bytes
   * @returns where it was
   */
  pass(bytes) {
    const start = this.at;
    this.at += bytes;
    return start;
  }

  u32() {
    return this.file.readUInt32LE(this.pass(4));
  }

  u64() {
    return Number(this.file.readBigUInt64LE(this.pass(8)));
  }

  text() {
    const start = this.pass(this.u64());
    return this.file.toString('utf8', start, this.at);
  }

  /** @param {number} type */
  skip(type) {
    if (type === 8) this.text();
    else if (type !== 9) this.at += SIZES[type] ?? 0;
    else {
      const item = this.u32();
      for (let left = this.u64(); left > 0; left -= 1) this.skip(item);
    }
  }
}

/** @param {number} value */
const u64 = (value) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
};
/** @param {number[]} values */
const u32 = (...values) => Buffer.from(Uint32Array.from(values).buffer);
/** @param {string} text */
const string = (text) => Buffer.concat([u64(Buffer.byteLength(text)), Buffer.from(text)]);
/** @param {Buffer} bytes */
const padded = (bytes) => Buffer.concat([bytes, Buffer.alloc((ALIGNMENT - (bytes.length % ALIGNMENT)) % ALIGNMENT)]);

/**
 * @param {Buffer} file a GGUF file with an alignment of 32
 * @returns {[Buffer, Buffer]}
 */
export function split(file) {
  const [tensorCount, valueCount] = [8, 16].map((at) => Number(file.readBigUInt64LE(at)));
  const cursor = new Cursor(file);
  for (let i = 0; i < (valueCount ?? 0); i += 1) {
    cursor.text();
    cursor.skip(cursor.u32());
  }
  const metadata = file.subarray(24, cursor.at);
  const infos = Array.from({ length: tensorCount ?? 0 }, () => {
    const name = cursor.text();
    const dims = Array.from({ length: cursor.u32() }, () => cursor.u64());
    return { name, dims, type: cursor.u32(), offset: cursor.u64() };
  });
  const data = file.subarray(Math.ceil(cursor.at / ALIGNMENT) * ALIGNMENT);
  const ends = infos.map(({ offset }) => offset).concat(data.length).sort((a, b) => a - b);
  const tensors = infos.map((info) => ({ ...info, bytes: data.subarray(info.offset, ends.find((end) => end > info.offset)) }));
  const half = Math.ceil(tensors.length / 2);
  /** @param {number} no */
  const shard = (no) => {
    const own = no === 0 ? tensors.slice(0, half) : tensors.slice(half);
    const values = [['split.no', no], ['split.count', 2], ['split.tensors.count', tensors.length]];
    const extra = values.map(([key, value]) => Buffer.concat([string(String(key)), u32(4, Number(value))]));
    let offset = 0;
    const header = own.map(({ name, dims, type, bytes }) => {
      const info = Buffer.concat([string(name), u32(dims.length), ...dims.map(u64), u32(type), u64(offset)]);
      offset += padded(bytes).length;
      return info;
    });
    const count = (no === 0 ? valueCount ?? 0 : 0) + extra.length;
    const start = Buffer.concat([
      file.subarray(0, 8), u64(own.length), u64(count), ...(no === 0 ? [metadata] : []), ...extra, ...header,
    ]);
    return Buffer.concat([padded(start), ...own.map(({ bytes }) => padded(bytes))]);
  };
  return [shard(0), shard(1)];
}
