// A guest that knows the web's fetch and its events: it fetches what it is told to, and serves with what it is sent.
export async function get(url) {
  try {
    const response = await fetch(url);
    return `${response.status} ${await response.text()}`;
  } catch (error) {
    throw String(error.message ?? error);
  }
}

addEventListener('fetch', (event) => event.respondWith(serve(event.request)));

async function serve(request) {
  const { pathname, searchParams } = new URL(request.url);
  if (pathname === '/echo') return new Response(request.body, { headers: { 'x-method': request.method } });
  if (pathname === '/upper') return new Response((await request.text()).toUpperCase());
  if (pathname === '/fetch') return fetch(searchParams.get('url'));
  return new Response(`hello ${pathname}`, { headers: { 'content-type': 'text/plain' } });
}
