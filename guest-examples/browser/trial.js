// Two guests under a meter: one that works, one that never ends. The page runs this, and so does a test in Node.
import { Meter, meter } from 'gloveport/metering';

/** Counts primes below a million with the module `primes`, calls the module `spin`, which loops for ever, and says how both went. */
export async function trial(primes, spin) {
  const found = [];
  const host = { largest: (prime) => found.push(prime) };
  const useful = await start(primes, { memoryBytes: 2 * 2 ** 20 }, { host });
  const count = useful.exports.primes(1_000_000);

  const hostile = await start(spin, { fuel: 20e6 });
  const stopped = codeOf(hostile.exports.spin);
  const again = codeOf(hostile.exports.spin);

  const { fuel, memoryBytes, hostCalls } = useful.guest.usage;
  return { count, largest: found[0], fuel, memoryBytes, hostCalls, stopped, stoppedFuel: hostile.guest.usage.fuel, again };
}

/** A guest of its own for `bytes`, whoever they are from. */
async function start(bytes, limits, imports) {
  const metered = meter(bytes);
  const module = await WebAssembly.compile(metered.bytes);
  const guest = new Meter(limits);
  return { guest, exports: guest.instantiate(module, metered.descriptor, imports) };
}

function codeOf(call) {
  try {
    call();
    return 'no error';
  } catch (error) {
    return error.code;
  }
}
