import { useEffect, useState } from "preact/hooks";

/** Where in the console one is: what stands behind the # of the address, which is not sent. */
export interface Route {
  readonly screen: string;
  /** What follows the screen's name, for example a snapshot id. */
  readonly subject: string;
  readonly parameters: URLSearchParams;
}

/** Reads `#/screen/subject?name=value`. */
function parseRoute(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const [screen = "", subject = ""] = path.split("/");
  return { screen, subject: decode(subject), parameters: new URLSearchParams(query) };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The address of a snapshot's screen. */
export function snapshotHref(snapshotId: string): string {
  return `#/snapshots/${encodeURIComponent(snapshotId)}`;
}

/** The address of a comparison. */
export function compareHref(first: string, second: string): string {
  return `#/compare?${new URLSearchParams({ first, second })}`;
}

/** The route as it is, and as it becomes. */
export function useRoute(): Route {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const follow = () => setHash(location.hash);
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  return parseRoute(hash);
}
