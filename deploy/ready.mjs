// Exits 0 when the gateway on this machine can decide, else 1. For probes in an image that has no shell.
const port = process.env.SALLYPORT_PORT ?? "8420";
try {
  const answer = await fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(4000) });
  process.exitCode = answer.ok ? 0 : 1;
} catch {
  process.exitCode = 1;
}
