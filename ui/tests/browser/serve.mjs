// Serves the bundle of the in-memory backend under the Content Security Policy of tauri.conf.json.

import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};

/** Listens on a free port of this machine; gives the address and how to stop. */
export async function serve() {
  const root = fileURLToPath(new URL('../../dist-memory/', import.meta.url));
  const conf = fileURLToPath(new URL('../../../tauri.conf.json', import.meta.url));
  const { app } = JSON.parse(await readFile(conf, 'utf8'));
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    const path = join(root, normalize(pathname === '/' ? '/index.html' : pathname));
    readFile(path).then(
      (bytes) => {
        response.writeHead(200, {
          'content-type': TYPES[extname(path)] ?? 'application/octet-stream',
          'content-security-policy': app.security.csp,
        });
        response.end(bytes);
      },
      () => {
        response.writeHead(404);
        response.end();
      },
    );
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  return { url: `http://127.0.0.1:${port}`, stop: () => server.close() };
}
