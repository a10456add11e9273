// Inputs for programs that come without one: always the same, and like what people feed to such programs.

/** A generator of numbers in [0, 1) with a fixed start (a linear congruence of 32 bits). */
export function numbers(): () => number {
  let state = 12_345;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const WORDS = 'river stone window market copper simple garden answer letter winter music orange table morning figure silver bridge forest number paper'.split(
  ' ',
);

export function words(count: number): string {
  const next = numbers();
  return Array.from({ length: count }, (_, index) => `${WORDS[Math.floor(next() * WORDS.length)]}${index % 11 === 10 ? '.\n' : ''}`).join(' ');
}

/** Ordinary JavaScript of about `functions` times 400 bytes. */
export function javascript(functions: number): string {
  const next = numbers();
  const word = (): string => WORDS[Math.floor(next() * WORDS.length)] as string;
  return Array.from({ length: functions }, (_, index) => {
    const [a, b, c] = [word(), `${word()}s`, `${word()}Size`];
    return `
export function ${a}${index}(${b}, options = {}) {
  const { ${c} = ${index}, limit = ${Math.floor(next() * 1000)} } = options;
  if (!Array.isArray(${b}) || ${b}.length === 0) return undefined;
  let total = 0;
  for (let i = 0; i < ${b}.length && i < limit; i++) {
    const entry = ${b}[i];
    total += typeof entry === 'number' ? entry * ${c} : String(entry?.name ?? \`${a} \${i}\`).length;
  }
  return ${b}.filter((x) => x !== null).map((x) => ({ ...x, total, key: "${word()}-${index}" }));
}`;
  }).join('\n');
}

export function css(rules: number): string {
  const next = numbers();
  const colour = (): string =>
    `#${Math.floor(next() * 0xffffff)
      .toString(16)
      .padStart(6, '0')}`;
  return Array.from(
    { length: rules },
    (_, index) => `
.${WORDS[index % WORDS.length]}-${index} > li:nth-child(${(index % 7) + 1}):hover {
  color: ${colour()};
  margin: 0px ${index % 40}px 0px ${index % 40}px;
  background: linear-gradient(to right, ${colour()} 0%, rgba(${index % 255}, 20, 30, 0.${index % 9}) 100%);
  transition: opacity ${index % 10}00ms ease-in-out, transform 0.3s;
  @media (min-width: ${300 + (index % 900)}px) { display: flex; transform: translate(${index % 9}px, 50%) rotate(${index % 360}deg); }
}`,
  ).join('\n');
}

export function svg(shapes: number): string {
  const next = numbers();
  const at = (): string => (next() * 500).toFixed(1);
  const paths = Array.from(
    { length: shapes },
    (_, index) =>
      `<path d="M ${at()} ${at()} C ${at()} ${at()} ${at()} ${at()} ${at()} ${at()} S ${at()} ${at()} ${at()} ${at()} Z" fill="${index % 2 ? 'url(#g)' : 'teal'}" fill-opacity="0.4" stroke="black" stroke-width="${index % 5}"/>`,
  );
  const gradient = '<linearGradient id="g"><stop offset="0" stop-color="red"/><stop offset="1" stop-color="blue"/></linearGradient>';
  return `<svg xmlns="http://www.w3.org/2000/svg" width="500" height="500"><defs>${gradient}</defs>${paths.join('')}</svg>`;
}

/** Pixels of a soft picture with some noise, four bytes each. */
export function picture(width: number, height: number): Uint8ClampedArray<ArrayBuffer> {
  const next = numbers();
  const pixels = new Uint8ClampedArray(width * height * 4);
  for (let index = 0; index < pixels.length; index += 4) {
    const [x, y] = [(index >> 2) % width, Math.floor((index >> 2) / width)];
    pixels.set([128 + 100 * Math.sin(x / 37), 128 + 100 * Math.cos(y / 23), ((x * y) / 99) & 255, 255], index);
    pixels[index] = (pixels[index] as number) + next() * 20;
  }
  return pixels;
}

/** A function of WebAssembly text with many operators of many kinds. */
export function wat(functions: number): string {
  const bodies = Array.from(
    { length: functions },
    (_, index) => `
  (func $f${index} (export "f${index}") (param $n i32) (param $x f64) (result i32) (local $sum i32)
    (block $out
      (loop $next
        (br_if $out (i32.eqz (local.get $n)))
        (i32.store offset=${index} (i32.and (local.get $n) (i32.const 1020)) (i32.mul (local.get $sum) (i32.const ${index * 7919})))
        (local.set $sum (i32.add (local.get $sum) (i32.load (i32.and (local.get $sum) (i32.const 1020)))))
        (if (f64.lt (local.get $x) (f64.const ${index}.5)) (then (local.set $x (f64.sqrt (local.get $x)))) (else (br $next)))
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (br $next)))
    (call $f${Math.floor(index / 2)} (i32.const 0) (local.get $x)))`,
  );
  return `(module (memory 1)${bodies.join('')})`;
}
