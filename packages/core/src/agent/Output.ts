/**
 * The output of a process: pieces of two streams, and what is kept of them in bounded memory.
 *
 * Owns the cuts: by bytes, never through a UTF-8 character. Does not own the log file, which gets everything.
 *
 * @since 0.1.0
 */

/**
 * Some bytes, as they came.
 *
 * @since 0.1.0
 * @category models
 */
export interface Piece {
  readonly stream: "stdout" | "stderr"
  readonly bytes: Uint8Array
}

/**
 * Of which streams the end was cut off.
 *
 * @since 0.1.0
 * @category models
 */
export interface Truncated {
  readonly stdout: boolean
  readonly stderr: boolean
}

/**
 * What is kept: the beginning of each stream and the end of both.
 *
 * @since 0.1.0
 * @category models
 */
export interface Capture {
  readonly add: (piece: Piece) => void
  readonly result: () => {
    readonly stdout: string
    readonly stderr: string
    readonly truncated: Truncated
    readonly tail: string
  }
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const makeCapture = (options: { readonly headBytesMax: number; readonly tailBytesMax: number }): Capture => {
  const heads = { stdout: makeHead(options.headBytesMax), stderr: makeHead(options.headBytesMax) }
  const tail = makeTail(options.tailBytesMax)
  return {
    add: (piece) => {
      heads[piece.stream].add(piece.bytes)
      tail.add(piece.bytes)
    },
    result: () => ({
      stdout: heads.stdout.text(),
      stderr: heads.stderr.text(),
      truncated: { stdout: heads.stdout.isCut(), stderr: heads.stderr.isCut() },
      tail: tail.text()
    })
  }
}

/**
 * Splits bytes into lines of text, without their line ends. `rest` is what follows the last line feed. A line of more
 * than `lineBytesMax` bytes is left out.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeLines = (lineBytesMax: number) => {
  let pending: Array<Uint8Array> = []
  let pendingBytes = 0
  const hold = (bytes: Uint8Array) => {
    pendingBytes += bytes.length
    // The count goes on, so that the line is known to be too long at its end.
    if (pendingBytes > lineBytesMax) pending = []
    else if (bytes.length > 0) pending.push(bytes)
  }
  const take = (): Array<string> => {
    const line = pendingBytes > lineBytesMax ? [] : [decode(concat(pending)).replace(/\r$/, "")]
    pending = []
    pendingBytes = 0
    return line
  }
  return {
    add: (bytes: Uint8Array): ReadonlyArray<string> => {
      const lines: Array<string> = []
      let from = 0
      for (let at = bytes.indexOf(lineFeed); at >= 0; at = bytes.indexOf(lineFeed, from)) {
        hold(bytes.subarray(from, at))
        lines.push(...take())
        from = at + 1
      }
      hold(bytes.subarray(from))
      return lines
    },
    rest: (): ReadonlyArray<string> => (pendingBytes === 0 ? [] : take())
  }
}

/**
 * Holds pieces back until their line is whole, so that lines of two streams do not mix. More than `heldBytesMax` bytes
 * without a line feed are let through as they are.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeWholeLines = (heldBytesMax: number) => {
  const held = { stdout: makeHeld(), stderr: makeHeld() }
  return {
    add: (piece: Piece): Uint8Array => {
      const own = held[piece.stream]
      const end = piece.bytes.lastIndexOf(lineFeed) + 1
      if (end > 0) {
        own.add(piece.bytes.subarray(0, end))
        const whole = own.take()
        own.add(piece.bytes.subarray(end))
        return whole
      }
      own.add(piece.bytes)
      return own.size() > heldBytesMax ? own.take() : nothing
    },
    rest: (): Uint8Array => {
      const stdout = held.stdout.take()
      const stderr = held.stderr.take()
      return stdout.length > 0 && stderr.length > 0
        ? concat([stdout, Uint8Array.of(lineFeed), stderr])
        : concat([stdout, stderr])
    }
  }
}

const lineFeed = 10

const nothing = new Uint8Array(0)

const decode = (bytes: Uint8Array, options: { readonly cut: boolean } = { cut: false }): string =>
  // In stream mode a last character that is not whole is held back by the decoder: dropped with it.
  new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes, { stream: options.cut })

const concat = (parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  const [first] = parts
  if (first === undefined) return nothing
  if (parts.length === 1) return first
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

const makeHeld = () => {
  let parts: Array<Uint8Array> = []
  let bytes = 0
  return {
    add: (part: Uint8Array) => {
      if (part.length > 0) parts.push(part)
      bytes += part.length
    },
    size: () => bytes,
    take: () => {
      const whole = concat(parts)
      parts = []
      bytes = 0
      return whole
    }
  }
}

/** The first bytes of a stream, in a buffer that grows with them: pieces are copied, so that none is kept alive. */
const makeHead = (bytesMax: number) => {
  let buffer = new Uint8Array(Math.min(bytesMax, 1024))
  let size = 0
  let cut = false
  return {
    add: (bytes: Uint8Array) => {
      const taken = bytes.subarray(0, bytesMax - size)
      cut ||= taken.length < bytes.length
      if (taken.length === 0) return
      if (size + taken.length > buffer.length) {
        const larger = new Uint8Array(Math.min(bytesMax, Math.max(buffer.length * 2, size + taken.length)))
        larger.set(buffer.subarray(0, size))
        buffer = larger
      }
      buffer.set(taken, size)
      size += taken.length
    },
    isCut: () => cut,
    text: () => decode(buffer.subarray(0, size), { cut })
  }
}

/** The last bytes, in a buffer of twice their number that is moved down when full. */
const makeTail = (bytesMax: number) => {
  const buffer = new Uint8Array(bytesMax * 2)
  let size = 0
  let cut = false
  return {
    add: (bytes: Uint8Array) => {
      const taken = bytes.subarray(Math.max(0, bytes.length - bytesMax))
      cut ||= size + bytes.length > bytesMax
      if (size + taken.length > buffer.length) {
        const kept = Math.min(size, bytesMax)
        buffer.copyWithin(0, size - kept, size)
        size = kept
      }
      buffer.set(taken, size)
      size += taken.length
    },
    text: () => {
      const kept = buffer.subarray(Math.max(0, size - bytesMax), size)
      let from = 0
      while (cut && from < kept.length && from < 3 && ((kept[from] ?? 0) & 0xc0) === 0x80) from++
      return decode(kept.subarray(from))
    }
  }
}
