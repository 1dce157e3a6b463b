// A catalog of one node in memory, with faults: what anti-entropy is tested against.
import type { CatalogClient } from "../../src/agent/anti-entropy.ts";
import type { CatalogNode, NodeIdentity } from "../../src/agent/catalog-diff.ts";
import type { CatalogDeregister, CatalogRegister } from "../../src/state/command.ts";
import { OperationalError } from "../../src/types/error.ts";
import type { HealthCheck, NodeService } from "../../src/types/records.ts";

export class FakeCatalog implements CatalogClient {
  node: NodeIdentity | null = null;
  readonly services: Map<string, NodeService> = new Map();
  readonly checks: Map<string, HealthCheck> = new Map();
  /** Every call, a line each. */
  readonly log: string[] = [];
  /** Called before each call does anything; what it throws, the call throws. */
  fault: (call: string) => void | Promise<void> = () => {};

  taken(): string[] {
    return this.log.splice(0);
  }

  async nodeServices(): Promise<CatalogNode | null> {
    await this.#call("services?");
    if (this.node === null) return null;
    const node = { ...this.node, CreateIndex: 1, ModifyIndex: 1 };
    return { node, services: structuredClone([...this.services.values()]) };
  }

  async nodeChecks(): Promise<HealthCheck[]> {
    await this.#call("checks?");
    return structuredClone([...this.checks.values()]);
  }

  async register({ node, service, checks, skipNodeUpdate }: CatalogRegister, token: string): Promise<void> {
    const names = [service?.ID ?? "node", ...checks.map(({ CheckID }) => `/${CheckID}`)].join(" ");
    await this.#call(`+ ${names}${token === "" ? "" : ` by ${token}`}`);
    if (!skipNodeUpdate || this.node === null) this.node = structuredClone(node);
    const indexes = { CreateIndex: 1, ModifyIndex: 1 };
    if (service !== null) this.services.set(service.ID, { ...structuredClone(service), ...indexes });
    for (const check of checks) {
      if (check.ServiceID !== "" && !this.services.has(check.ServiceID))
        throw new OperationalError("refused", "Missing service registration");
      const tags = this.services.get(check.ServiceID)?.Tags ?? check.ServiceTags;
      this.checks.set(check.CheckID, { ...structuredClone(check), ServiceTags: tags, ...indexes });
    }
  }

  async deregister({ serviceId, checkId }: CatalogDeregister, token: string): Promise<void> {
    await this.#call(`- ${serviceId || `/${checkId}`}${token === "" ? "" : ` by ${token}`}`);
    if (serviceId === "") this.checks.delete(checkId);
    else {
      this.services.delete(serviceId);
      for (const [id, { ServiceID }] of this.checks) if (ServiceID === serviceId) this.checks.delete(id);
    }
  }

  async #call(line: string): Promise<void> {
    this.log.push(line);
    await this.fault(line);
  }
}

/** A promise and what settles it. */
export function gate(): { opened: Promise<void>; open: () => void } {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}
