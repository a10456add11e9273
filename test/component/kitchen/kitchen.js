// The guest of the component tests: gives back what it gets, and calls its host where a function's name says so.
import * as host from 'demo:kitchen/host@0.1.0';
let total = 0;
class Counter {
  constructor(n) {
    this.n = n;
  }
  next() {
    total++;
    return this.n++;
  }
  static getTotal() {
    return total;
  }
}
const echo = (x) => x;
export const api = {
  Counter,
  echoAll: echo,
  echoPoint: echo,
  echoShape: echo,
  echoColor: echo,
  echoPerms: echo,
  echoU8s: echo,
  echoS32s: echo,
  echoU64s: echo,
  echoF32s: echo,
  echoBools: echo,
  echoChars: echo,
  echoStrings: echo,
  echoPoints: echo,
  echoTuple: echo,
  echoOption: echo,
  echoResult: (r) => [r],
  echoResults: echo,
  fail(s) {
    // biome-ignore lint/style/useThrowOnlyError: the payload itself is thrown for the error of a result
    throw { tag: 'circle', val: s.length };
  },
  unit(b) {
    // biome-ignore lint/style/useThrowOnlyError: the error of a result without a payload
    if (!b) throw undefined;
  },
  callHost(s) {
    return host.parse(s);
  },
  hostShapes(xs) {
    return host.shapes(xs);
  },
  boxes(v) {
    const b = new host.Box(v);
    const c = host.swap(b);
    const d = host.Box.make(3);
    return c.get() + d.get() + host.peek(c);
  },
  trap() {
    throw new Error('x');
  },
  log(s) {
    host.log(s);
  },
  useCounter(c) {
    return c.next();
  },
  giveCounter() {
    return new Counter(7);
  },
};
export function process(n) {
  return n * 2;
}
export function then() {
  return 1;
}
const two = () => 2;
export { two as constructor };
export function spin() {
  for (;;);
}
