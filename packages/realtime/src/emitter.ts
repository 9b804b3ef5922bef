/** Listeners: `on` returns its own undo, and one that throws never stops the others. */

/** Takes an event's body. */
export type Listener<Body> = (body: Body) => void;

/** Takes any event's name and body. */
export type AnyListener = (name: string, body: unknown) => void;

/** Removes the listener it was returned for. Calling it again does nothing. */
export type Unlisten = () => void;

/** @internal */
export class Emitter<Events extends object> {
  readonly #listeners = new Map<keyof Events, Set<Listener<never>>>();
  readonly #any = new Set<AnyListener>();

  on<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): Unlisten {
    let listeners = this.#listeners.get(name);
    if (!listeners) this.#listeners.set(name, (listeners = new Set()));
    listeners.add(listener);
    return () => this.off(name, listener);
  }

  once<Name extends keyof Events>(name: Name, listener: Listener<Events[Name]>): Unlisten {
    const undo = this.on(name, (body) => {
      undo();
      listener(body);
    });
    return undo;
  }

  off<Name extends keyof Events>(name?: Name, listener?: Listener<Events[Name]>): void {
    if (name === undefined) this.#listeners.clear();
    else if (listener === undefined) this.#listeners.delete(name);
    else this.#listeners.get(name)?.delete(listener);
  }

  onAny(listener: AnyListener): Unlisten {
    this.#any.add(listener);
    return () => void this.#any.delete(listener);
  }

  /**
   * Calls those who listened when the event came: one added meanwhile waits for the next. Answers whether anybody
   * listens to this event.
   */
  emit<Name extends keyof Events & string>(name: Name, body: Events[Name]): boolean {
    if (this.#any.size > 0) for (const listener of [...this.#any]) call(() => listener(name, body));
    const listeners = this.#listeners.get(name);
    if (!listeners?.size) return false;
    for (const listener of [...listeners] as Listener<Events[Name]>[]) call(() => listener(body));
    return true;
  }
}

/** @internal Runs an application's function; what it throws is reported like any uncaught error. */
export function call(run: () => void): void {
  try {
    run();
  } catch (error) {
    report(error);
  }
}

/** @internal Reports like the host does for a throwing listener of its own; Node has no `reportError` and would end. */
export function report(error: unknown): void {
  if (typeof reportError === "function") reportError(error);
  else console.error(error);
}
