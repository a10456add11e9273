// Fills the page: each `output` shows the field of the trial that is its id.
import { trial } from './trial.js';

const load = async (url) => (await fetch(url)).arrayBuffer();

try {
  const result = await trial(await load('primes.wasm'), await load('spin.wasm'));
  for (const [field, value] of Object.entries(result)) document.getElementById(field).value = value.toLocaleString('en');
} catch (error) {
  document.getElementById('failure').value = String(error);
}
