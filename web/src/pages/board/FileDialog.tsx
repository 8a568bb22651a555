import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { problemFrom } from "@/api/problem";
import { fileIssue, type Issue, type IssueKind } from "@/api/queries/issues";
import { keys } from "@/api/queries/keys";
import { Button } from "@/ui/Button";
import { Dialog } from "@/ui/Dialog";
import { Field, Input, Select, TextArea } from "@/ui/Field";
import { Code } from "@/ui/states";
import { KINDS } from "./search";

/** Files an issue. What was written stays when it is refused. */
export function FileDialog({ project, onClose, onFiled }: { project: string; onClose: () => void; onFiled: (issue: Issue) => void }) {
  const [title, setTitle] = useState("");
  const [body, setBody] = useState("");
  const [kind, setKind] = useState<IssueKind>("feature");
  const once = useRef({ text: "", key: "" });
  const client = useQueryClient();
  const file = useMutation({
    mutationFn: () => {
      // Sent again after a lost answer, the same words are the same issue.
      const text = JSON.stringify([title, body, kind]);
      if (once.current.text !== text) once.current = { text, key: crypto.randomUUID() };
      return fileIssue(project, { title, body, kind }, once.current.key);
    },
    onSuccess: (issue) => {
      void client.invalidateQueries({ queryKey: keys.board(project) });
      onFiled(issue);
    },
  });
  const problem = file.error === null ? null : problemFrom(file.error);
  const wrong = (name: string) => problem?.errors.find((error) => error.pointer === `/${name}`)?.message ?? null;
  const send = () => {
    if (title.trim() !== "" && !file.isPending) file.mutate();
  };
  return (
    <Dialog
      title="File an issue" onClose={onClose}
      footer={<Button look="primary" icon="plus" busy={file.isPending} blocked={title.trim() === "" ? "Give it a title" : null} onClick={send}>File</Button>}
    >
      <form className="flex flex-col gap-3 p-4" onSubmit={(event) => { event.preventDefault(); send(); }}>
        <Field label="Title" error={wrong("title")}>
          {(ids) => <Input {...ids} value={title} maxLength={200} onChange={(event) => setTitle(event.target.value)} />}
        </Field>
        <Field label="Kind">
          {(ids) => (
            <Select {...ids} value={kind} onChange={(event) => setKind(KINDS.find((one) => one === event.target.value) ?? "feature")}>
              {KINDS.map((one) => <option key={one} value={one}>{one}</option>)}
            </Select>
          )}
        </Field>
        <Field label="Text" help="Markdown: what is to be, and for whom" error={wrong("body")}>
          {(ids) => <TextArea {...ids} rows={8} value={body} onChange={(event) => setBody(event.target.value)} />}
        </Field>
        {problem !== null && <p role="alert" className="text-bad">{problem.detail} (<Code code={problem.code} />)</p>}
      </form>
    </Dialog>
  );
}
