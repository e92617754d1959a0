// Where the window is, as the fragment of its address.

export type Route =
  | { screen: 'queue' }
  | { screen: 'briefing'; id: string }
  | { screen: 'operations' }
  | { screen: 'operation'; id: string };

function decode(part: string): string | null {
  try {
    return decodeURIComponent(part);
  } catch {
    return null;
  }
}

/** The route of a fragment; the queue where it names none. */
export function parse(hash: string): Route {
  const [section, part = '', ...rest] = hash.replace(/^#\/?/u, '').split('/');
  const id = rest.length === 0 && part !== '' ? decode(part) : null;
  if (section === 'queue' && id !== null) return { screen: 'briefing', id };
  if (section === 'operations')
    return id === null ? { screen: 'operations' } : { screen: 'operation', id };
  return { screen: 'queue' };
}

/** The fragment of a route. */
export function href(route: Route): string {
  switch (route.screen) {
    case 'queue':
      return '#/queue';
    case 'briefing':
      return `#/queue/${encodeURIComponent(route.id)}`;
    case 'operations':
      return '#/operations';
    case 'operation':
      return `#/operations/${encodeURIComponent(route.id)}`;
  }
}
