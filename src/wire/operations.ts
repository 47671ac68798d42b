/** Names of the operations, as AWS spells them; from ListBlockDigests on they are ours. */
export type OperationName =
  | "StartSnapshot"
  | "PutSnapshotBlock"
  | "CompleteSnapshot"
  | "GetSnapshotBlock"
  | "ListSnapshotBlocks"
  | "ListChangedBlocks"
  | "ListBlockDigests"
  | "ListReadableBlocks"
  | "VerifySnapshot"
  | "ListVerifications"
  | "ListLineages"
  | "CountExclusiveBlocks"
  | "GetSnapshotProgress";

/** Method and path of an operation; `{name}` stands for a parameter. */
export interface Route {
  readonly method: string;
  readonly path: string;
}

/** Where each operation is reached. */
export const ROUTES: Readonly<Record<OperationName, Route>> = {
  StartSnapshot: { method: "POST", path: "/snapshots" },
  PutSnapshotBlock: { method: "PUT", path: "/snapshots/{snapshotId}/blocks/{blockIndex}" },
  CompleteSnapshot: { method: "POST", path: "/snapshots/completion/{snapshotId}" },
  GetSnapshotBlock: { method: "GET", path: "/snapshots/{snapshotId}/blocks/{blockIndex}" },
  ListSnapshotBlocks: { method: "GET", path: "/snapshots/{snapshotId}/blocks" },
  ListChangedBlocks: { method: "GET", path: "/snapshots/{snapshotId}/changedblocks" },
  ListBlockDigests: { method: "GET", path: "/snapshots/{snapshotId}/digests" },
  ListReadableBlocks: { method: "GET", path: "/varve/snapshots/{snapshotId}/blocks" },
  VerifySnapshot: { method: "POST", path: "/varve/snapshots/{snapshotId}/verification" },
  ListVerifications: { method: "GET", path: "/varve/verifications" },
  ListLineages: { method: "GET", path: "/varve/lineages" },
  CountExclusiveBlocks: { method: "GET", path: "/varve/snapshots/{snapshotId}/exclusive" },
  GetSnapshotProgress: { method: "GET", path: "/varve/snapshots/{snapshotId}/progress" },
};

/** An operation and the parameters found in the path. */
export interface RouteMatch<Name extends string = OperationName> {
  readonly operation: Name;
  readonly parameters: Readonly<Record<string, string>>;
}

/** True for the name of one of these operations. */
export function isOperation(name: string | undefined): name is OperationName {
  return name !== undefined && Object.hasOwn(ROUTES, name);
}

/** The operation at that method and path, or undefined. */
export function matchRoute(method: string, path: string): RouteMatch | undefined {
  return findOperation(method, path);
}

/** What finds the operation at a method and path, for any table of routes. */
export function routeFinder<Name extends string>(
  routes: Readonly<Record<Name, Route>>,
): (method: string, path: string) => RouteMatch<Name> | undefined {
  const templates = (Object.keys(routes) as Name[]).map((operation) => {
    const { method, path } = routes[operation];
    return { operation, method, parts: path.split("/") };
  });
  return (method, path) => {
    const parts = path.split("/");
    for (const template of templates) {
      if (template.method !== method) continue;
      const parameters = matchParts(template.parts, parts);
      if (parameters) return { operation: template.operation, parameters };
    }
    return undefined;
  };
}

const findOperation = routeFinder(ROUTES);

function matchParts(
  template: readonly string[],
  parts: readonly string[],
): Record<string, string> | undefined {
  if (template.length !== parts.length) return undefined;
  const parameters: Record<string, string> = {};
  for (const [i, wanted] of template.entries()) {
    const part = parts[i] as string;
    if (wanted.startsWith("{")) parameters[wanted.slice(1, -1)] = part;
    else if (wanted !== part) return undefined;
  }
  return parameters;
}

/** The path of an operation with its parameters filled in. */
export function formatRoute(
  operation: OperationName,
  parameters: Readonly<Record<string, string | number>> = {},
): Route {
  return fillRoute(ROUTES[operation], parameters);
}

/** A route with its parameters filled in. */
export function fillRoute(
  { method, path }: Route,
  parameters: Readonly<Record<string, string | number>>,
): Route {
  return {
    method,
    path: path.replace(/\{(\w+)\}/g, (_, name: string) =>
      encodeURIComponent(String(parameters[name])),
    ),
  };
}
