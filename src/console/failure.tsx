/** What went wrong, for people; nothing where nothing did. */
export function Failure({ text }: { readonly text: string | undefined }) {
  if (text === undefined || text === "") return null;
  return (
    <p class="failure" role="alert">
      {text}
    </p>
  );
}
