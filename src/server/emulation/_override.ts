/** The same object but for some methods; the others are called on the object itself. */
export function override<T extends object>(object: T, methods: Partial<T>): T {
  return new Proxy(object, {
    get(target, name) {
      const replacement: unknown = Reflect.get(methods, name);
      if (replacement !== undefined) return replacement;
      const value: unknown = Reflect.get(target, name, target);
      // A class with private fields works on no other `this`.
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
