// The route as state.

import { href, parse, type Route } from './route';

export class Router {
  route = $state.raw<Route>(parse(window.location.hash));

  /** Follows the address; returns how to stop. */
  start(): () => void {
    const follow = () => (this.route = parse(window.location.hash));
    window.addEventListener('hashchange', follow);
    return () => {
      window.removeEventListener('hashchange', follow);
    };
  }

  go(route: Route): void {
    window.location.hash = href(route);
  }
}
