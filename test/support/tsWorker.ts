import { Worker, type WorkerOptions } from "node:worker_threads";

/** A worker that runs a TypeScript module: tsx hooks only the thread it was started in, so each worker has to register it again. */
export function tsWorker(module: string, options: WorkerOptions = {}): Worker {
  const code = `import(${JSON.stringify(import.meta.resolve("tsx/esm/api"))}).then(({ register }) => { register(); return import(${JSON.stringify(module)}); });`;
  return new Worker(code, { ...options, eval: true });
}
