// Takes back a registration that could not be remembered on disk: what it put in place goes, what was there before comes
// back. Consul answers such a registration with an error; here nothing of it is left either.
import type { LocalCheck, LocalService, LocalState } from "./local-state.ts";

/** What a registration is about to change. */
export interface Subject {
  serviceIds: readonly string[];
  checkIds: readonly string[];
}

/** Makes a change of the local state, and gives a function that takes it back where nobody changed it since. */
export function undoable(local: LocalState, subject: Subject, change: () => void): () => void {
  const checkIds = new Set(subject.checkIds);
  for (const id of subject.serviceIds) for (const { check } of local.checksOf(id)) checkIds.add(check.CheckID);
  const services = new Map(subject.serviceIds.map((id) => [id, local.services.get(id)]));
  const checks = new Map([...checkIds].map((id) => [id, local.checks.get(id)]));
  change();
  const newServices = new Map(subject.serviceIds.map((id) => [id, local.services.get(id)]));
  const newChecks = new Map([...checkIds].map((id) => [id, local.checks.get(id)]));
  return () => {
    // Services first: a check that comes back needs its own.
    for (const [id, before] of services)
      if (local.services.get(id) === newServices.get(id)) putServiceBack(local, id, before);
    for (const [id, before] of checks) if (local.checks.get(id) === newChecks.get(id)) putCheckBack(local, id, before);
  };
}

function putServiceBack(local: LocalState, id: string, before: LocalService | undefined): void {
  if (before === undefined) {
    if (local.services.has(id)) local.removeService(id);
    return;
  }
  const { service, token, source, isSidecar } = before;
  local.addService({ service, checks: [], token, source, isSidecar, replaceExistingChecks: false });
}

function putCheckBack(local: LocalState, id: string, before: LocalCheck | undefined): void {
  if (before === undefined) {
    if (local.checks.has(id)) local.removeCheck(id);
    return;
  }
  const { check, declared, token, source } = before;
  const {
    Name: name,
    Notes: notes,
    ServiceID: serviceId,
    Status: status,
    Interval: interval,
    Timeout: timeout,
  } = check;
  // The mark of a maintenance mode is not replaced by registrations.
  if (declared === null) return;
  // Its service may have gone meanwhile, and the check with it.
  if (serviceId !== "" && !local.services.has(serviceId)) return;
  local.addCheck({ id, name, notes, serviceId, status, interval, timeout, spec: declared }, token, source);
}
