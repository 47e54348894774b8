/** Buttons, and links that look like them. */
import type { ComponentChildren, JSX } from "preact";

import { Icon, type IconName } from "./icon.tsx";

type ButtonKind = "plain" | "primary" | "danger" | "quiet";

interface ButtonProps {
  readonly kind?: ButtonKind | undefined;
  readonly icon?: IconName | undefined;
  /** The button shows its icon alone; the children are its name for those who don't see it. */
  readonly isIconOnly?: boolean | undefined;
  readonly type?: "button" | "submit" | undefined;
  readonly disabled?: boolean | undefined;
  readonly isBusy?: boolean | undefined;
  readonly title?: string | undefined;
  readonly isPressed?: boolean | undefined;
  readonly onClick?: ((event: MouseEvent) => void) | undefined;
  readonly children: ComponentChildren;
}

export function Button(props: ButtonProps): JSX.Element {
  const { kind = "plain", type = "button", disabled = false, isBusy = false, isPressed } = props;
  return (
    <button
      type={type}
      class={`button ${kind} ${props.isIconOnly === true ? "icon-only" : ""}`}
      disabled={disabled || isBusy}
      aria-busy={isBusy ? "true" : undefined}
      aria-pressed={isPressed}
      title={props.title}
      onClick={props.onClick}
    >
      <Inside {...props} />
    </button>
  );
}

interface LinkButtonProps extends Pick<ButtonProps, "kind" | "icon" | "isIconOnly" | "children"> {
  readonly href: string;
  /** Kept as a file of this name; "" for the one the answer names. */
  readonly download?: string | undefined;
}

export function LinkButton(props: LinkButtonProps): JSX.Element {
  const { kind = "plain", href, download } = props;
  return (
    <a
      class={`button ${kind} ${props.isIconOnly === true ? "icon-only" : ""}`}
      href={href}
      download={download}
    >
      <Inside {...props} />
    </a>
  );
}

function Inside({
  icon,
  isIconOnly,
  children,
}: Pick<ButtonProps, "icon" | "isIconOnly" | "children">): JSX.Element {
  return (
    <>
      {icon && <Icon name={icon} size={isIconOnly === true ? 18 : 16} />}
      {isIconOnly === true ? <span class="hidden">{children}</span> : children}
    </>
  );
}
