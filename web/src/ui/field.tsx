/** What is typed and chosen, each with its label, its help, and what is wrong with it in place. */
import type { ComponentChildren, JSX } from "preact";
import { useId } from "preact/hooks";

interface FieldProps {
  readonly label: ComponentChildren;
  readonly help?: ComponentChildren;
  /** What is wrong with it. */
  readonly wrong?: string | undefined;
  readonly value: string;
  readonly onInput: (value: string) => void;
  readonly name?: string | undefined;
  readonly type?: "text" | "password" | "search" | "number" | "datetime-local" | undefined;
  readonly placeholder?: string | undefined;
  readonly required?: boolean | undefined;
  readonly disabled?: boolean | undefined;
  readonly maxLength?: number | undefined;
  /** More than one makes it a text area. */
  readonly rows?: number | undefined;
  readonly autocomplete?: string | undefined;
  readonly isCode?: boolean | undefined;
  /** The label is for those who don't see the field's icon. */
  readonly isLabelHidden?: boolean | undefined;
  /** `/` on the keyboard leads here; one in a page. */
  readonly isFilter?: boolean | undefined;
}

export function Field(props: FieldProps): JSX.Element {
  const { label, help, wrong = "", rows = 1 } = props;
  const id = useId();
  const common = attributes(props, id);
  // Preact's types tell apart what a role may be by the type; a field has none.
  const kind = { type: props.type ?? "text" } as { readonly type: "text" };
  return (
    <div class="field">
      <label for={id} class={props.isLabelHidden === true ? "hidden" : undefined}>
        {label}
      </label>
      {rows > 1 ? <textarea rows={rows} {...common} /> : <input {...kind} {...common} />}
      {help !== undefined && (
        <p class="help" id={`${id}-help`}>
          {help}
        </p>
      )}
      {wrong !== "" && (
        <p class="wrong" id={`${id}-wrong`}>
          {wrong}
        </p>
      )}
    </div>
  );
}

function attributes({ help, wrong = "", isCode, isFilter, ...props }: FieldProps, id: string) {
  const described = [help !== undefined && `${id}-help`, wrong !== "" && `${id}-wrong`].filter(Boolean);
  return {
    id,
    name: props.name,
    value: props.value,
    placeholder: props.placeholder,
    required: props.required,
    disabled: props.disabled,
    maxLength: props.maxLength,
    autocomplete: props.autocomplete ?? "off",
    spellcheck: isCode !== true,
    class: isCode === true ? "code-input" : undefined,
    "data-filter": isFilter === true ? "" : undefined,
    "aria-describedby": described.length === 0 ? undefined : described.join(" "),
    "aria-invalid": wrong === "" ? undefined : ("true" as const),
    onInput: ({ currentTarget }: { currentTarget: { value: string } }) => props.onInput(currentTarget.value),
  };
}

interface SelectProps {
  readonly label: ComponentChildren;
  readonly value: string;
  readonly options: readonly { readonly value: string; readonly label: string }[];
  readonly onChange: (value: string) => void;
  readonly isLabelHidden?: boolean | undefined;
  readonly disabled?: boolean | undefined;
}

export function Select({
  label,
  value,
  options,
  onChange,
  isLabelHidden,
  disabled,
}: SelectProps): JSX.Element {
  const id = useId();
  return (
    <div class="field">
      <label for={id} class={isLabelHidden === true ? "hidden" : undefined}>
        {label}
      </label>
      <select
        id={id}
        value={value}
        disabled={disabled}
        onChange={({ currentTarget }) => onChange(currentTarget.value)}
      >
        {options.map((option) => (
          <option key={option.value} value={option.value}>
            {option.label}
          </option>
        ))}
      </select>
    </div>
  );
}

interface CheckProps {
  readonly label: ComponentChildren;
  readonly isOn: boolean;
  readonly onChange: (isOn: boolean) => void;
  readonly disabled?: boolean | undefined;
}

export function Check({ label, isOn, onChange, disabled }: CheckProps): JSX.Element {
  return (
    <label class="check">
      <input
        type="checkbox"
        checked={isOn}
        disabled={disabled}
        onChange={({ currentTarget }) => onChange(currentTarget.checked)}
      />
      <span>{label}</span>
    </label>
  );
}
