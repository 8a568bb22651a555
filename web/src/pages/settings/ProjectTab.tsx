import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { errorFor, problemFrom } from "@/api/problem";
import { keys } from "@/api/queries/keys";
import { projectQuery, type Project } from "@/api/queries/projects";
import { changeProject } from "@/api/queries/settings";
import { Copy } from "@/ui/Copy";
import { Field, Input } from "@/ui/Field";
import { Ago } from "@/ui/Time";
import { Editing } from "./Editing";
import { useEditing } from "./held";
import { Refusal, SaveBar } from "./parts";

export function ProjectTab({ project, notAdmin }: { project: string; notAdmin: string | null }) {
  const query = useQuery(projectQuery(project));
  return <Editing query={query} what="The project" lines={3}>{(data) => <Form project={data} notAdmin={notAdmin} />}</Editing>;
}

/** Its name, and where its checkout lies: moving the folder is no loss, as evidence holds no path. */
function Form({ project, notAdmin }: { project: Project; notAdmin: string | null }) {
  const client = useQueryClient();
  const editing = useEditing();
  const [name, setName] = useState(project.name);
  const [path, setPath] = useState(project.path);
  const change = {
    ...(name.trim() === project.name ? {} : { name: name.trim() }),
    ...(path.trim() === project.path ? {} : { path: path.trim() }),
  };
  const changed = Object.keys(change).length > 0;
  const save = useMutation({
    mutationFn: () => changeProject(project.key, change, project.revision),
    onSuccess: () => {
      editing?.onSaved();
      return Promise.all([client.invalidateQueries({ queryKey: keys.projects }), client.invalidateQueries({ queryKey: keys.proof(project.key) })]);
    },
  });
  const errors = save.error === null ? [] : problemFrom(save.error).errors;
  return (
    <form
      className="flex max-w-xl flex-col gap-4"
      onSubmit={(event) => {
        event.preventDefault();
        if (changed && notAdmin === null) save.mutate();
      }}
    >
      <Field label="Name" error={errorFor(errors, "name")}>
        {(ids) => <Input {...ids} value={name} maxLength={200} onChange={(event) => setName(event.target.value)} />}
      </Field>
      <Field label="Folder" help="The checkout on the machine that runs the plane. When it was moved, say here where it is now: all evidence stays." error={errorFor(errors, "path")}>
        {(ids) => <Input {...ids} value={path} spellCheck={false} onChange={(event) => setPath(event.target.value)} className="font-mono" />}
      </Field>
      <dl className="grid grid-cols-[6rem_minmax(0,1fr)] items-center gap-x-3 text-soft">
        <dt className="text-faint">Key</dt>
        <dd className="font-mono">{project.key}</dd>
        <dt className="text-faint">Id</dt>
        <dd className="flex items-center"><code className="truncate text-sm">{project.id}</code><Copy text={project.id} label="Copy the project's id" /></dd>
        <dt className="text-faint">Registered</dt>
        <dd><Ago at={project.created_at} /></dd>
      </dl>
      {errors.length === 0 && <Refusal error={save.error} />}
      <SaveBar
        changed={changed} busy={save.isPending}
        blocked={notAdmin ?? (name.trim() === "" ? "A project needs a name" : path.trim() === "" ? "Say where the checkout is" : null)}
        onDiscard={() => {
          setName(project.name);
          setPath(project.path);
          save.reset();
        }}
      />
    </form>
  );
}
