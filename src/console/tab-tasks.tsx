import { useConsole } from "./console-context.ts";
import { formatClock } from "./format.ts";
import { type Task, useTaskBoard } from "./task-board.ts";

/** What was begun in this tab: it ends with it, or when it is stopped. */
export function TabTasks() {
  const board = useTaskBoard(useConsole().tasks);
  if (board.tasks.length === 0) return null;
  return (
    <section aria-labelledby="tab-tasks">
      <h2 id="tab-tasks">Begun in this tab</h2>
      <ul class="plain">
        {board.tasks.map((task) => (
          <TabTask key={task.id} task={task} onStop={() => board.stop(task.id)} />
        ))}
      </ul>
    </section>
  );
}

function TabTask({ task, onStop }: { readonly task: Task; readonly onStop: () => void }) {
  const { title, state, done, total, text } = task;
  const isRunning = state === "running";
  return (
    <li class="tab-task">
      <span class={`state ${MARKS[state]}`}>{title}</span>
      {isRunning && total > 0 ? <progress aria-label={title} max={total} value={done} /> : null}
      <span class={state === "failed" ? "failure" : "quiet"}>{text || state}</span>
      {isRunning ? (
        <button type="button" aria-label={`Stop ${title}`} onClick={onStop}>
          Stop
        </button>
      ) : null}
    </li>
  );
}

const MARKS: Readonly<Record<Task["state"], string>> = {
  running: "pending",
  done: "completed",
  failed: "error",
  stopped: "",
};

/** What has happened since this tab was opened, the latest first. */
export function TaskLog() {
  const board = useTaskBoard(useConsole().tasks);
  return (
    <section aria-labelledby="task-log">
      <h2 id="task-log">Log</h2>
      {board.lines.length === 0 ? (
        <p class="empty">What begins and ends while this page is open is written here.</p>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a keyboard must reach what scrolls
        <div class="log" role="log" aria-labelledby="task-log" tabIndex={0}>
          {board.lines.map(({ id, timeMs, text, isBad }) => (
            <div key={id} class={isBad ? "failure" : ""}>
              <time>{formatClock(timeMs)}</time> {text}
            </div>
          ))}
        </div>
      )}
    </section>
  );
}
