/** What a program of the bench answers to, by command. */
export type Commands = Readonly<Record<string, (options: never) => Promise<unknown>>>;

interface Message {
  readonly id: number;
  readonly command: string;
  readonly options: never;
}

/** Serves the parent process's calls until it says "stop" or goes away. */
export function serveParent(commands: Commands): void {
  const send = (message: object) => process.send?.(message);
  process.on("disconnect", () => process.exit());
  process.on("message", ({ id, command, options }: Message) => {
    const run = commands[command] ?? (async () => undefined);
    run(options)
      .then(
        (answer) => send({ id, answer }),
        (error: Error) => send({ id, error: error.stack ?? error.message }),
      )
      .finally(() => {
        // The pipe closes once the answer is through; then the process exits by itself.
        if (command === "stop") process.disconnect();
      });
  });
}
