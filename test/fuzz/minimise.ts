// Makes a failing input small.

/** A part of `bytes` that still fails, found by leaving out pieces, large ones first; `fails` is asked at most `tries` times. */
export function minimise(bytes: Uint8Array<ArrayBuffer>, fails: (bytes: Uint8Array<ArrayBuffer>) => boolean, tries = 5_000): Uint8Array<ArrayBuffer> {
  let smallest = bytes;
  let left = tries;
  for (let piece = bytes.length >>> 1; piece > 0; piece >>>= 1) {
    for (let at = 0; at + piece <= smallest.length && left > 0; left--) {
      const candidate = new Uint8Array([...smallest.subarray(0, at), ...smallest.subarray(at + piece)]);
      if (fails(candidate)) smallest = candidate;
      else at += piece;
    }
  }
  return smallest;
}
