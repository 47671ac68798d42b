import type { ComponentType } from "preact";
import { useCallback, useEffect, useMemo, useState } from "preact/hooks";
import { systemClock } from "../base/clock.ts";
import { ClientError, getCallerIdentity } from "../client/browser.ts";
import { CompareScreen } from "./compare-screen.tsx";
import { ConsoleContext } from "./console-context.ts";
import { failureKind, failureText } from "./failures.ts";
import { Lazy } from "./lazy-screen.tsx";
import { type Route, useRoute } from "./route.ts";
import type { Session } from "./session.ts";
import { SignIn } from "./sign-in.tsx";
import { SnapshotScreen } from "./snapshot-screen.tsx";
import { SnapshotsScreen } from "./snapshots-screen.tsx";
import { TaskBoard } from "./task-board.ts";

/** How often a service that is gone is looked for. */
const LOOK_AGAIN_MS = 2_000;

/** The whole page. */
export function App() {
  const [session, setSession] = useState<Session>();
  const [notice, setNotice] = useState("");
  if (session === undefined) {
    return <SignIn notice={notice} onSignedIn={setSession} />;
  }
  const leave = (why: string) => {
    session.client.close();
    setNotice(why);
    setSession(undefined);
  };
  return <Shell session={session} onSignOut={leave} />;
}

/** What stands around every screen, and what watches over the session. */
function Shell(props: { readonly session: Session; readonly onSignOut: (why: string) => void }) {
  const { session, onSignOut } = props;
  const [isOffline, setIsOffline] = useState(false);
  const [generation, setGeneration] = useState(0);
  const route = useRoute();
  const report = useCallback(
    (error: unknown) => {
      const kind = failureKind(error);
      if (kind === "offline") setIsOffline(true);
      if (kind === "expired") onSignOut("Your session has expired. Sign in again.");
      if (kind === "key" || kind === "secret") onSignOut(failureText(error));
      return failureText(error);
    },
    [session],
  );
  useEffect(() => {
    if (!isOffline) return;
    const ended = new AbortController();
    const back = () => {
      setIsOffline(false);
      setGeneration((before) => before + 1);
    };
    lookForService(session, ended.signal).then(back, (error: unknown) => {
      if (!ended.signal.aborted) report(error);
    });
    return () => ended.abort(new Error("The page has gone on"));
  }, [isOffline, session]);
  const tasks = useMemo(() => new TaskBoard(), [session]);
  useEffect(() => () => tasks.stopAll(), [tasks]);
  const parts = useMemo(
    () => ({ client: session.client, session, generation, report, tasks }),
    [session, generation, report, tasks],
  );
  return (
    <ConsoleContext.Provider value={parts}>
      <Header
        session={session}
        screen={route.screen || "snapshots"}
        onSignOut={() => onSignOut("")}
      />
      {isOffline ? (
        <p class="banner" role="alert">
          The service does not answer. Looking for it every 2 seconds …
        </p>
      ) : null}
      <main>
        <Screen route={route} />
      </main>
    </ConsoleContext.Provider>
  );
}

/** Resolves when the service answers again; rejects when it does not know the caller any more. */
async function lookForService({ client }: Session, signal: AbortSignal): Promise<void> {
  for (;;) {
    await systemClock.sleep(LOOK_AGAIN_MS, signal);
    try {
      await getCallerIdentity(client, { attemptsMax: 1, signal });
      return;
    } catch (error) {
      signal.throwIfAborted();
      const kind = failureKind(error);
      if (kind === "expired" || kind === "key" || kind === "secret") throw error;
      // What stands before it may answer for it, and it may be there without its engines.
      const isTrouble = error instanceof ClientError && (error.status ?? 0) >= 500;
      if (kind !== "offline" && !isTrouble) return;
    }
  }
}

const SCREENS = [
  { name: "overview", href: "#/overview", title: "Overview" },
  { name: "snapshots", href: "#/snapshots", title: "Snapshots" },
  { name: "compare", href: "#/compare", title: "Compare" },
  { name: "tasks", href: "#/tasks", title: "Tasks" },
  { name: "access", href: "#/access", title: "Access" },
  { name: "settings", href: "#/settings", title: "Settings" },
];

const TITLES = new Map(SCREENS.map(({ name, title }) => [name, title]));

function Header(props: {
  readonly session: Session;
  readonly screen: string;
  readonly onSignOut: () => void;
}) {
  const { session, screen } = props;
  return (
    <header class="top">
      <strong class="brand">Varve</strong>
      <nav aria-label="Screens">
        {SCREENS.map(({ name, href, title }) => (
          <a key={name} href={href} aria-current={screen === name ? "page" : undefined}>
            {title}
          </a>
        ))}
      </nav>
      <span class="who" title={session.arn}>
        {session.account}
      </span>
      <button type="button" onClick={props.onSignOut}>
        Sign out
      </button>
    </header>
  );
}

/** Screens that are loaded when somebody goes there. */
const LATER: Readonly<Record<string, () => Promise<ComponentType<{ readonly subject: string }>>>> =
  {
    overview: () => import("./overview-screen.tsx").then((part) => part.OverviewScreen),
    tasks: () => import("./tasks-screen.tsx").then((part) => part.TasksScreen),
    access: () => import("./access-screen.tsx").then((part) => part.AccessScreen),
    settings: () => import("./settings-screen.tsx").then((part) => part.SettingsScreen),
  };

function Screen({ route }: { readonly route: Route }) {
  const { screen, subject, parameters } = route;
  useEffect(() => {
    document.title = `${subject || TITLES.get(screen) || "Snapshots"} – Varve`;
  }, [screen, subject]);
  const load = LATER[screen];
  if (load !== undefined) return <Lazy key={screen} load={load} with={{ subject }} />;
  if (screen === "compare") {
    const [first, second] = [parameters.get("first") ?? "", parameters.get("second") ?? ""];
    return <CompareScreen key={`${first} ${second}`} first={first} second={second} />;
  }
  if (screen === "snapshots" && subject !== "") {
    return <SnapshotScreen key={subject} snapshotId={subject} />;
  }
  return <SnapshotsScreen />;
}
