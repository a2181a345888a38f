/**
 * SHA-256 (FIPS 180-4) of texts, in plain arithmetic.
 *
 * Being synchronous and free of platform imports, it can stand inside pure functions such as `SafeName.encode`; Web
 * Crypto answers only asynchronously. For names, claims and checksums, not for secrets.
 *
 * @since 0.1.0
 */

/**
 * The SHA-256 of a text's UTF-8 bytes as 64 lower-case hex digits.
 *
 * @since 0.1.0
 * @category encoding
 */
export const sha256 = (text: string): string => {
  const message = pad(new TextEncoder().encode(text))
  const view = new DataView(message.buffer)
  const hash = Int32Array.from(initial)
  const words = new Int32Array(64)
  for (let offset = 0; offset < message.length; offset += 64) {
    for (let index = 0; index < 16; index++) words[index] = view.getInt32(offset + index * 4)
    compress(hash, words)
  }
  return Array.from(hash, (word) => (word >>> 0).toString(16).padStart(8, "0")).join("")
}

/** The message, a one bit, zeros, and the message's length in bits: a multiple of 64 bytes. */
const pad = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => {
  const padded = new Uint8Array(Math.ceil((bytes.length + 9) / 64) * 64)
  padded.set(bytes)
  padded[bytes.length] = 0x80
  const view = new DataView(padded.buffer)
  view.setUint32(padded.length - 8, Math.floor(bytes.length / 0x20000000))
  view.setUint32(padded.length - 4, (bytes.length << 3) >>> 0)
  return padded
}

/** Fills `words` 16 to 63 from the block in 0 to 15, and takes the block into the hash. */
const compress = (hash: Int32Array, words: Int32Array): void => {
  for (let index = 16; index < 64; index++) {
    const w15 = words[index - 15]!
    const w2 = words[index - 2]!
    const s0 = ((w15 >>> 7) | (w15 << 25)) ^ ((w15 >>> 18) | (w15 << 14)) ^ (w15 >>> 3)
    const s1 = ((w2 >>> 17) | (w2 << 15)) ^ ((w2 >>> 19) | (w2 << 13)) ^ (w2 >>> 10)
    words[index] = (words[index - 16]! + s0 + words[index - 7]! + s1) | 0
  }
  let [a, b, c, d, e, f, g, h] = hash as unknown as [number, number, number, number, number, number, number, number]
  for (let index = 0; index < 64; index++) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7))
    const one = (h + s1 + ((e & f) ^ (~e & g)) + constants[index]! + words[index]!) | 0
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10))
    const two = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0
    h = g
    g = f
    f = e
    e = (d + one) | 0
    d = c
    c = b
    b = a
    a = (one + two) | 0
  }
  const mixed = [a, b, c, d, e, f, g, h]
  for (let index = 0; index < 8; index++) hash[index] = (hash[index]! + mixed[index]!) | 0
}

const primes = (count: number): ReadonlyArray<number> => {
  const found: Array<number> = []
  for (let candidate = 2; found.length < count; candidate++) {
    if (found.every((prime) => candidate % prime !== 0)) found.push(candidate)
  }
  return found
}

/** The first 32 bits of the fractional part. A double has enough of them for the roots of the first 64 primes. */
const fraction = (value: number): number => ((value - Math.floor(value)) * 0x100000000) | 0

const initial = primes(8).map((prime) => fraction(Math.sqrt(prime)))
const constants = Int32Array.from(primes(64), (prime) => fraction(Math.cbrt(prime)))
