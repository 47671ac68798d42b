/** One part of a screen, of which one is shown at a time. */
export interface ScreenPart {
  /** What its address has behind the screen's; empty for the part that is shown first. */
  readonly name: string;
  readonly href: string;
  readonly title: string;
}

/** A screen's title, and links to its parts. */
export function ScreenParts(props: {
  readonly title: string;
  readonly parts: readonly ScreenPart[];
  /** The name of the part that is shown. */
  readonly shown: string;
}) {
  return (
    <div class="heading">
      <h1>{props.title}</h1>
      <nav class="parts" aria-label="Parts of this screen">
        {props.parts.map(({ name, href, title }) => (
          <a key={name} href={href} aria-current={props.shown === name ? "page" : undefined}>
            {title}
          </a>
        ))}
      </nav>
    </div>
  );
}
