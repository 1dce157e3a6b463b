// The agent's own services and checks: what it wants the catalog to say of its node. The agent is the authority for them;
// anti-entropy (anti-entropy.ts) carries them to the servers. One stream of changes tells everybody else: the runner of
// checks, persistence, anti-entropy, hash-blocking queries, alias checks.
// https://developer.hashicorp.com/consul/api-docs/agent/service and /check
import type { CheckOutcome } from "../check/alias.ts";
import { type CheckSpec, boundedSpec } from "../check/spec.ts";
import {
  nodeMaintenanceId,
  nodeMaintenanceReason,
  serviceMaintenanceId,
  serviceMaintenanceReason,
} from "../check/status.ts";
import { OperationalError } from "../types/error.ts";
import type { CheckStatus, HealthCheck, NodeService } from "../types/records.ts";
import {
  type CheckRegistration,
  completeService,
  emptyCheck,
  quoted,
  type ServiceRegistration,
  type Source,
  sidecarId,
} from "./registration.ts";

/** A service of this agent. */
export interface LocalService {
  readonly service: NodeService;
  /** The ACL token it is registered with; "" means the agent's. */
  readonly token: string;
  readonly source: Source;
  /** It was registered by another service, as its sidecar, and goes with that. */
  readonly isSidecar: boolean;
  /** False while the catalog may say something else. */
  inSync: boolean;
  /** Another number after each change: tells whether what was sent is still what is meant. */
  version: number;
}

/** A check of this agent. */
export interface LocalCheck {
  readonly check: HealthCheck;
  /** How it is run: as it was asked for, within the agent's limits. Null for the check of a maintenance mode. */
  readonly spec: CheckSpec | null;
  /** As it was asked for. */
  readonly declared: CheckSpec | null;
  readonly token: string;
  readonly source: Source;
  inSync: boolean;
  /** True while a change of output waits for `check_update_interval` before the catalog is told. */
  deferred: boolean;
  version: number;
}

/**
 * One change, told after it is made. `persist` is true when it came from the API and is to outlive a restart. `record` is
 * the live one.
 */
export type LocalChange =
  | { type: "service-set"; id: string; record: LocalService; persist: boolean }
  | { type: "service-removed"; id: string; persist: boolean }
  | { type: "check-set"; id: string; record: LocalCheck; persist: boolean }
  | { type: "check-removed"; id: string; serviceId: string; persist: boolean }
  /** What a check shows; `statusChanged` is false when only its output is new. */
  | { type: "check-status"; id: string; record: LocalCheck; statusChanged: boolean; sync: "now" | "deferred" };

/** What the state is made with. */
export interface LocalStateOptions {
  nodeName: string;
  /** Consul's `check_output_max_size`; 0 is 4096. */
  checkOutputBytesMax?: number;
  /** Consul's `discard_check_output`: outputs are dropped. */
  discardCheckOutput?: boolean;
  /** `enable_script_checks` allows both, `enable_local_script_checks` only those of configuration files. */
  scriptChecks?: { local: boolean; remote: boolean };
  /** Told of what was odd, and accepted: a sentence and the check it is about. */
  warn?: (message: string, checkId: string) => void;
}

/** The services and checks of one agent. */
export class LocalState {
  readonly nodeName: string;
  /** By id. Read only: changes go through the methods. */
  readonly services: Map<string, LocalService> = new Map();
  readonly checks: Map<string, LocalCheck> = new Map();
  /** Ids of what is to go from the catalog. Checks that go with their service are not listed. */
  readonly removedServices: Set<string> = new Set();
  readonly removedChecks: Set<string> = new Set();
  readonly #options: LocalStateOptions;
  readonly #listeners = new Set<(change: LocalChange) => void>();
  readonly #serviceWatchers = new Map<string, Set<() => void>>();
  /** Ids of a service's checks, by the service's id; "" has the node's. */
  readonly #checksOf = new Map<string, Set<string>>();
  #restored: Map<string, CheckOutcome & { kind: string }> = new Map();
  #version = 0;

  constructor(options: LocalStateOptions) {
    this.nodeName = options.nodeName;
    this.#options = { ...options };
  }

  /** Hears of every change, in order, until the returned function is called. */
  subscribe(listener: (change: LocalChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Hears of every change to the definition of one service (hash-blocking queries), until the returned function is called. */
  watchService(id: string, changed: () => void): () => void {
    let watchers = this.#serviceWatchers.get(id);
    if (watchers === undefined) this.#serviceWatchers.set(id, (watchers = new Set()));
    // A function of our own, so that one who watches twice is told twice and stops each by itself.
    const watcher = (): void => changed();
    const set = watchers.add(watcher);
    return () => {
      set.delete(watcher);
      if (set.size === 0 && this.#serviceWatchers.get(id) === set) this.#serviceWatchers.delete(id);
    };
  }

  /** @throws OperationalError `not-found` with the text of the API's routes. */
  requireService(id: string): LocalService {
    const service = this.services.get(id);
    if (service !== undefined) return service;
    const message = `Unknown service ID ${quoted(id)}. Ensure that the service ID is passed, not the service name.`;
    throw new OperationalError("not-found", message);
  }

  /** @throws OperationalError `not-found` with the text of the API's routes. */
  requireCheck(id: string): LocalCheck {
    const check = this.checks.get(id);
    if (check !== undefined) return check;
    const message = `Unknown check ID ${quoted(id)}. Ensure that the check ID is passed, not the check name.`;
    throw new OperationalError("not-found", message);
  }

  /** The checks of a service, in the order of their registration; `serviceId` "" gives the node's. */
  checksOf(serviceId: string): LocalCheck[] {
    const records: LocalCheck[] = [];
    for (const id of this.#checksOf.get(serviceId) ?? []) {
      const record = this.checks.get(id);
      if (record !== undefined) records.push(record);
    }
    return records;
  }

  /** Consul's `discard_check_output`, which a reload can change; it concerns what comes from now on. */
  setDiscardCheckOutput(discard: boolean): void {
    this.#options.discardCheckOutput = discard;
  }

  /**
   * What checks showed before a restart, by id: it is shown again by a check of that id and kind when it is registered
   * for the first time.
   */
  setRestored(restored: Map<string, CheckOutcome & { kind: string }>): void {
    this.#restored = restored;
  }

  /**
   * Registers a service and its checks, in place of one with its id. Checks that were there keep their state, and stay
   * even when the registration does not name them, unless `replaceExistingChecks`. Nothing is changed when it throws.
   * @param persist false when what is registered is on disk already.
   * @throws OperationalError
   */
  addService(registration: ServiceRegistration, persist: boolean = registration.source === "remote"): void {
    const { token, source } = registration;
    const service = completeService(registration.service, this.nodeName);
    const checks = registration.checks.map((check) => this.#checkRecord(check, service, token, source));
    const { isSidecar = false } = registration;
    const record: LocalService = { service, token, source, isSidecar, inSync: false, version: this.#nextVersion() };
    this.services.set(service.ID, record);
    this.removedServices.delete(service.ID);
    this.#tell({ type: "service-set", id: service.ID, record, persist });
    for (const check of checks) this.#setCheck(check, persist);
    if (!registration.replaceExistingChecks) return;
    const named = new Set(checks.map(({ check }) => check.CheckID));
    for (const { check, spec } of this.checksOf(service.ID)) {
      // Maintenance mode ends when the operator says so.
      if (spec !== null && !named.has(check.CheckID)) this.#removeCheck(check.CheckID, persist, true);
    }
  }

  /**
   * Removes a service with its checks and its sidecar.
   * @param persist false when it is only to be loaded again: what is on disk stays.
   * @throws OperationalError `not-found`
   */
  removeService(id: string, persist = true): void {
    this.requireService(id);
    this.services.delete(id);
    this.removedServices.add(id);
    this.#tell({ type: "service-removed", id, persist });
    for (const { check } of this.checksOf(id)) this.#removeCheck(check.CheckID, persist, false);
    const sidecar = sidecarId(id);
    if (this.services.get(sidecar)?.isSidecar === true) this.removeService(sidecar, persist);
  }

  /**
   * Registers a check, in place of one with its id, whose state it keeps.
   * @throws OperationalError `not-found` when its service is not there; `refused` when scripts are not allowed.
   */
  addCheck(
    registration: CheckRegistration,
    token: string,
    source: Source,
    persist: boolean = source === "remote",
  ): void {
    const { serviceId } = registration;
    const service = serviceId === "" ? null : this.#serviceOf(serviceId);
    this.#setCheck(this.#checkRecord(registration, service, token, source), persist);
  }

  /** Removes a check. @throws OperationalError `not-found` */
  removeCheck(id: string, persist = true): void {
    this.requireCheck(id);
    this.#removeCheck(id, persist, true);
  }

  /**
   * Sets what a check shows. `deferred` leaves the catalog as it is for now, and `now` tells it all that it does not know.
   * A check that is gone, or shows this already, is left alone.
   */
  updateCheck(id: string, status: CheckStatus, output: string, sync: "now" | "deferred"): void {
    const record = this.checks.get(id);
    if (record === undefined) return;
    const { check } = record;
    const shown = this.#options.discardCheckOutput === true ? "" : output;
    const statusChanged = check.Status !== status;
    const changed = statusChanged || check.Output !== shown;
    if (!changed && !(record.deferred && sync === "now")) return;
    check.Status = status;
    check.Output = shown;
    record.version = this.#nextVersion();
    record.deferred = sync === "deferred";
    if (sync === "now") record.inSync = false;
    this.#tell({ type: "check-status", id, record, statusChanged, sync });
  }

  /** Puts the node into maintenance mode; nothing changes when it is. */
  enableNodeMaintenance(reason: string, token: string): void {
    if (this.checks.has(nodeMaintenanceId)) return;
    const notes = reason === "" ? nodeMaintenanceReason : reason;
    this.#setMaintenance(nodeMaintenanceId, "Node Maintenance Mode", notes, null, token);
  }

  disableNodeMaintenance(): void {
    this.#removeCheck(nodeMaintenanceId, true, true);
  }

  /** Puts a service into maintenance mode; nothing changes when it is. @throws OperationalError `not-found` */
  enableServiceMaintenance(serviceId: string, reason: string, token: string): void {
    const { service } = this.requireService(serviceId);
    const id = serviceMaintenanceId(serviceId);
    if (this.checks.has(id)) return;
    const notes = reason === "" ? serviceMaintenanceReason : reason;
    this.#setMaintenance(id, "Service Maintenance Mode", notes, service, token);
  }

  /** @throws OperationalError `not-found` when there is no such service. */
  disableServiceMaintenance(serviceId: string): void {
    this.requireService(serviceId);
    this.#removeCheck(serviceMaintenanceId(serviceId), true, true);
  }

  /**
   * Restores the check of a maintenance mode that was on before a restart.
   * @throws OperationalError `not-found` when its service is not there any more.
   */
  restoreMaintenance(check: Pick<CheckRegistration, "id" | "name" | "notes" | "serviceId">, token: string): void {
    const service = check.serviceId === "" ? null : this.#serviceOf(check.serviceId);
    this.#setMaintenance(check.id, check.name, check.notes, service, token, false);
  }

  /**
   * Makes the configured services and checks those of a configuration file, as at a reload: what the file no longer has
   * goes, what it has is set and keeps its state. What came by the API stays, unless the file has the same id.
   * @throws OperationalError for a definition that cannot be; what came before it is in place.
   */
  setConfigured(
    services: readonly ServiceRegistration[],
    checks: readonly (CheckRegistration & { token: string })[],
  ): void {
    const serviceIds = new Set(services.map(({ service }) => service.ID || service.Service));
    const checkIds = new Set([...checks, ...services.flatMap((service) => service.checks)].map(({ id }) => id));
    for (const [id, { source }] of this.services) {
      if (source === "local" && !serviceIds.has(id)) this.removeService(id, false);
    }
    for (const registration of services) {
      this.addService({ ...registration, source: "local", replaceExistingChecks: false }, false);
    }
    for (const check of checks) this.addCheck(check, check.token, "local", false);
    for (const [id, { source, spec }] of this.checks) {
      // The mark of maintenance mode is the operator's, whatever the file says.
      if (source === "local" && spec !== null && !checkIds.has(id)) this.#removeCheck(id, false, true);
    }
  }

  /** Takes over the catalog's tags (EnableTagOverride) and the tagged addresses that only servers make. */
  adopt(serviceId: string, changes: Partial<Pick<NodeService, "Tags" | "TaggedAddresses">>): void {
    const old = this.services.get(serviceId);
    if (old === undefined) return;
    const service: NodeService = { ...old.service, ...changes };
    const record: LocalService = { ...old, service, version: this.#nextVersion() };
    this.services.set(serviceId, record);
    this.#tell({ type: "service-set", id: serviceId, record, persist: false });
  }

  /** @throws OperationalError `not-found` with the text for a check's service. */
  #serviceOf(serviceId: string): NodeService {
    const found = this.services.get(serviceId);
    if (found !== undefined) return found.service;
    throw new OperationalError("not-found", `ServiceID ${quoted(serviceId)} does not exist`);
  }

  /** The record of a check, checked, not yet in place. */
  #checkRecord(
    registration: CheckRegistration,
    service: NodeService | null,
    token: string,
    source: Source,
  ): LocalCheck {
    const { id } = registration;
    if (id === "") throw new OperationalError("refused", "CheckID missing");
    this.#allow(registration.spec, source);
    const { spec, warnings } = boundedSpec(registration.spec, this.#options.checkOutputBytesMax ?? 0);
    for (const warning of warnings) this.#options.warn?.(warning, id);
    const shown = this.#shown(id, spec, registration.status);
    const check: HealthCheck = {
      ...emptyCheck(this.nodeName, service),
      CheckID: id,
      Name: registration.name,
      Status: shown.status,
      Notes: registration.notes,
      Output: this.#options.discardCheckOutput === true ? "" : shown.output,
      Type: spec.kind,
      Interval: registration.interval,
      Timeout: registration.timeout,
    };
    const { spec: declared } = registration;
    return { check, spec, declared, token, source, inSync: false, deferred: false, version: this.#nextVersion() };
  }

  /** @throws OperationalError `refused` for a program that this agent may not run. */
  #allow(spec: CheckSpec, source: Source): void {
    if (spec.kind !== "script" && spec.kind !== "docker") return;
    const { local, remote } = this.#options.scriptChecks ?? { local: false, remote: false };
    if (source === "local" && !local && !remote) {
      const keys = "configure 'enable_script_checks' or 'enable_local_script_checks' to true";
      throw new OperationalError("refused", `Scripts are disabled on this agent; to enable, ${keys}`);
    }
    if (source === "remote" && !remote) {
      const where = "Scripts are disabled on this agent from remote calls";
      throw new OperationalError("refused", `${where}; to enable, configure 'enable_script_checks' to true`);
    }
  }

  /** What a new check shows: what it showed before, here or before a restart, else what it was registered with. */
  #shown(id: string, spec: CheckSpec, status: CheckStatus | ""): CheckOutcome {
    const existing = this.checks.get(id)?.check;
    if (existing !== undefined) return { status: existing.Status, output: existing.Output };
    const restored = this.#restored.get(id);
    if (restored !== undefined && restored.kind === spec.kind) return restored;
    return { status: status === "" ? "critical" : status, output: "" };
  }

  #setMaintenance(
    id: string,
    name: string,
    notes: string,
    service: NodeService | null,
    token: string,
    persist = true,
  ): void {
    const check: HealthCheck = {
      ...emptyCheck(this.nodeName, service),
      CheckID: id,
      Name: name,
      Status: "critical",
      Notes: notes,
      Type: "maintenance",
    };
    const marks = { inSync: false, deferred: false, version: this.#nextVersion() };
    this.#setCheck({ check, spec: null, declared: null, token, source: "local", ...marks }, persist);
  }

  #setCheck(record: LocalCheck, persist: boolean): void {
    const { CheckID: id, ServiceID } = record.check;
    const old = this.checks.get(id);
    if (old !== undefined && old.check.ServiceID !== ServiceID) this.#checksOf.get(old.check.ServiceID)?.delete(id);
    this.checks.set(id, record);
    let ids = this.#checksOf.get(ServiceID);
    if (ids === undefined) this.#checksOf.set(ServiceID, (ids = new Set()));
    ids.add(id);
    this.#restored.delete(id);
    this.removedChecks.delete(id);
    this.#tell({ type: "check-set", id, record, persist });
  }

  /** @param deregister false when the check goes from the catalog with its service. */
  #removeCheck(id: string, persist: boolean, deregister: boolean): void {
    const record = this.checks.get(id);
    if (record === undefined) return;
    const serviceId = record.check.ServiceID;
    this.checks.delete(id);
    const ids = this.#checksOf.get(serviceId);
    ids?.delete(id);
    if (ids?.size === 0) this.#checksOf.delete(serviceId);
    if (deregister) this.removedChecks.add(id);
    this.#tell({ type: "check-removed", id, serviceId, persist });
  }

  #nextVersion(): number {
    this.#version += 1;
    return this.#version;
  }

  #tell(change: LocalChange): void {
    for (const listener of this.#listeners) listener(change);
    if (change.type !== "service-set" && change.type !== "service-removed") return;
    const watchers = this.#serviceWatchers.get(change.id);
    // A copy: who is told may watch again.
    if (watchers !== undefined) for (const changed of Array.from(watchers)) changed();
  }
}
