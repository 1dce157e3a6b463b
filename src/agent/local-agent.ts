// The agent's own services and checks with all that works for them: what runs the checks, what remembers them over a
// restart, what carries them to the catalog. One object, so that the rest of the agent has one thing to start and to stop.
import { nodeMaintenanceId, serviceMaintenanceId } from "../check/status.ts";
import type { AgentConfig } from "../config/agent-config.ts";
import type { CheckDefinition, ServiceDefinition } from "../config/service-definition.ts";
import type { Timers } from "../host/timers.ts";
import type { Platform } from "../platform.ts";
import type { Route } from "../rpc/route.ts";
import type { Random } from "../util/random.ts";
import { toUserMap } from "../util/user-map.ts";
import { CONSUL_VERSION } from "../version.ts";
import { AntiEntropy } from "./anti-entropy.ts";
import type { NodeIdentity } from "./catalog-diff.ts";
import { CheckRunner } from "./check-runner.ts";
import { aliasQuery, catalogClient } from "./local-catalog.ts";
import { LocalState } from "./local-state.ts";
import { type Subject, undoable } from "./local-undo.ts";
import type { Logs } from "./logs.ts";
import { LocalPersistence } from "./persistence.ts";
import { checkRegistration, serviceRegistration, type ServiceRegistration, type Source } from "./registration.ts";
import { sidecarDefinition, SidecarPorts } from "./sidecar.ts";

/** What it works with. */
export interface LocalAgentOptions {
  config: AgentConfig;
  platform: Platform;
  timers: Timers;
  random: Random;
  route: Route;
  logs: Logs;
  /** A part of it broke: a bug. */
  failed(error: unknown): void;
}

/** The services and checks of one agent, at work. */
export class LocalAgent {
  readonly state: LocalState;
  readonly #options: LocalAgentOptions;
  readonly #persistence: LocalPersistence | null;
  #config: AgentConfig;
  #runner: CheckRunner | null = null;
  #antiEntropy: AntiEntropy | null = null;

  constructor(options: LocalAgentOptions) {
    const { config, platform, logs } = options;
    this.#options = options;
    this.#config = config;
    const logger = logs.logger("agent");
    this.state = new LocalState({
      nodeName: config.nodeName,
      checkOutputBytesMax: config.checkOutputBytesMax,
      discardCheckOutput: config.discardCheckOutput,
      scriptChecks: {
        local: config.enableLocalScriptChecks || config.enableScriptChecks,
        remote: config.enableScriptChecks,
      },
      warn: (message, check) => logger.warn(message, { check }),
    });
    this.#persistence = config.dataDir === "" ? null : new LocalPersistence({ platform, logger });
  }

  /** Restores what was remembered, registers what the configuration defines, and sets everything going. */
  async start(): Promise<void> {
    const { platform, timers, random, route, logs, failed } = this.#options;
    if (this.#persistence === null) this.#configure(this.#config);
    else await this.#persistence.restore(this.state, () => this.#configure(this.#config));
    const persistence = this.#persistence;
    this.#runner = new CheckRunner({
      local: this.state,
      platform,
      timers,
      random,
      logger: logs.logger("agent"),
      updateIntervalMs: this.#config.checkUpdateIntervalMs,
      aliases: aliasQuery(route),
      ...(persistence === null
        ? {}
        : { renewed: (id, status, output, ttlMs) => persistence.renewed(id, status, output, ttlMs) }),
      failed,
    });
    this.#antiEntropy = new AntiEntropy({
      local: this.state,
      identity: () => this.identity,
      catalog: catalogClient(route),
      tokens: { agent: "", user: "", configFile: "" },
      platform,
      timers,
      random,
      logger: logs.logger("agent.anti_entropy"),
      intervalMs: this.#config.timings.antiEntropyIntervalMs,
      failed,
    });
    this.#antiEntropy.start();
  }

  /** @throws as the check runner's: `not-found`, or `refused` for a check that has no TTL. */
  get checks(): Pick<CheckRunner, "updateTtl"> {
    return this.#runner as CheckRunner;
  }

  /** What the agent says of its node. */
  get identity(): NodeIdentity {
    const { nodeId, nodeName, advertiseAddress, datacenter, taggedAddresses, nodeMeta } = this.#config;
    return {
      ID: nodeId,
      Node: nodeName,
      Address: advertiseAddress,
      Datacenter: datacenter,
      TaggedAddresses: taggedAddresses,
      Meta: toUserMap([
        ...Object.entries(nodeMeta),
        ["consul-network-segment", ""],
        ["consul-version", CONSUL_VERSION],
      ]),
    };
  }

  /** A server can be reached (again): what it does not know is told soon. */
  serverUp(): void {
    this.#antiEntropy?.serverUp();
  }

  setClusterSize(nodes: number): void {
    this.#antiEntropy?.setClusterSize(nodes);
  }

  /** Takes over a reloaded configuration. @throws OperationalError for a definition that cannot be. */
  reload(config: AgentConfig): void {
    this.#config = config;
    this.state.setDiscardCheckOutput(config.discardCheckOutput);
    const apply = (): void => this.#configure(config);
    if (this.#antiEntropy === null) apply();
    else {
      this.#antiEntropy.paused(apply);
      this.#antiEntropy.nodeChanged();
    }
  }

  /**
   * Registers a service as the API asks for it. Resolves once it outlives a power cut.
   * @throws OperationalError; nothing is left of it then, also when it could not be written down.
   */
  registerService(definition: ServiceDefinition, replaceExistingChecks: boolean): Promise<void> {
    const registrations = this.#registrations([definition], "remote", replaceExistingChecks);
    const subject = {
      serviceIds: registrations.map(({ service }) => service.ID),
      checkIds: registrations.flatMap(({ checks }) => checks.map(({ id }) => id)),
    };
    return this.#durably(subject, () => {
      for (const registration of registrations) this.state.addService(registration);
    });
  }

  /** Each service and, after it, the sidecar that it asks for. */
  #registrations(
    definitions: readonly ServiceDefinition[],
    source: Source,
    replaceExistingChecks = false,
  ): ServiceRegistration[] {
    const ports = new SidecarPorts(this.state, this.#config.ports, this.#options.random);
    for (const { id, port } of definitions) ports.reserve(id, port);
    return definitions.flatMap((definition) => {
      const service = serviceRegistration(definition, source, "", replaceExistingChecks);
      const sidecar = sidecarDefinition(definition, ports);
      if (sidecar === null) return [service];
      return [service, { ...serviceRegistration(sidecar, source, "", replaceExistingChecks), isSidecar: true }];
    });
  }

  /** Registers a check as the API asks for it; as `registerService`. */
  registerCheck(definition: CheckDefinition): Promise<void> {
    const registration = checkRegistration(definition);
    const subject = { serviceIds: [], checkIds: [registration.id] };
    return this.#durably(subject, () => this.state.addCheck(registration, definition.token, "remote"));
  }

  /** Puts the node into maintenance mode, or a service; as `registerService`. */
  async enableMaintenance(serviceId: string, reason: string): Promise<void> {
    const { state } = this;
    const enable = (): void =>
      serviceId === ""
        ? state.enableNodeMaintenance(reason, "")
        : state.enableServiceMaintenance(serviceId, reason, "");
    const checkIds = [serviceId === "" ? nodeMaintenanceId : serviceMaintenanceId(serviceId)];
    await this.#durably({ serviceIds: [], checkIds }, enable);
  }

  async #durably(subject: Subject, change: () => void): Promise<void> {
    const undo = undoable(this.state, subject, change);
    try {
      await this.settled();
    } catch (error) {
      undo();
      throw error;
    }
  }

  /** Waits until what was registered so far outlives a power cut. @throws OperationalError when it does not. */
  async settled(): Promise<void> {
    await this.#persistence?.settled();
  }

  async stop(): Promise<void> {
    this.#antiEntropy?.stop();
    this.#runner?.stop();
    this.#persistence?.stop();
    await this.#persistence?.settled();
  }

  #configure({ services, checks }: AgentConfig): void {
    this.state.setConfigured(
      this.#registrations(services, "local"),
      checks.map((definition) => ({ ...checkRegistration(definition), token: definition.token })),
    );
  }
}
