/** Node's own flags, and what goes into the environment unless something else is there. */
export const SERVICE_NODE: {
  readonly flags: readonly string[];
  readonly env: Readonly<Record<string, string>>;
};
