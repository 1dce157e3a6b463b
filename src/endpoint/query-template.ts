// Templates of prepared queries (https://developer.hashicorp.com/consul/api-docs/query#prepared-query-templates): a query
// whose name is a prefix, rendered with the name that was asked for.
import { RE2JS } from "re2js";
import { OperationalError } from "../types/error.ts";
import type { PreparedQuery } from "../types/records.ts";
import { toUserMap } from "../util/user-map.ts";

const TEMPLATE_TYPE = "name_prefix_match";

/** The query with every `${…}` of its service part put in. @throws OperationalError for an interpolation it does not know. */
export function renderTemplate(query: PreparedQuery, name: string): PreparedQuery {
  const groups = groupsOf(query.Template.Regexp, name);
  const put = (text: string): string => interpolate(text, name, query.Name, groups);
  const { Service, Template } = query;
  const tags = Service.Tags?.map(put) ?? null;
  const maps = (map: Record<string, string> | null): Record<string, string> | null =>
    map === null ? null : toUserMap(Object.entries(map).map(([key, value]) => [key, put(value)] as const));
  return {
    ...query,
    Service: {
      ...Service,
      Service: put(Service.Service),
      Near: put(Service.Near),
      Tags: Template.RemoveEmptyTags ? (tags?.filter((tag) => tag !== "") ?? null) : tags,
      NodeMeta: maps(Service.NodeMeta),
      ServiceMeta: maps(Service.ServiceMeta),
      Failover: {
        ...Service.Failover,
        Datacenters: Service.Failover.Datacenters?.map(put) ?? null,
      },
    },
  };
}

/** @throws OperationalError when the expression does not compile. */
export function checkTemplate(query: Pick<PreparedQuery, "Template">): void {
  const { Type, Regexp } = query.Template;
  if (Type === "") return;
  if (Type !== TEMPLATE_TYPE) throw new OperationalError("refused", `Bad Template.Type '${Type}'`);
  if (Regexp !== "") compile(Regexp);
}

function compile(expression: string): RE2JS {
  try {
    return RE2JS.compile(expression);
  } catch (error) {
    throw new OperationalError("refused", `Bad Regexp: error parsing regexp: ${(error as Error).message}`);
  }
}

/** What the expression caught: the whole match first; nothing when there is no expression or no match. */
function groupsOf(expression: string, name: string): string[] {
  if (expression === "") return [];
  const matcher = compile(expression).matcher(name);
  if (!matcher.find()) return [];
  const groups: string[] = [];
  for (let i = 0; i <= matcher.groupCount(); i++) groups.push(matcher.group(i) ?? "");
  return groups;
}

function interpolate(text: string, full: string, prefix: string, groups: readonly string[]): string {
  if (!text.includes("${")) return text;
  return text.replaceAll(/\$\{([^}]*)\}/g, (_all, expression: string) => {
    const inner = expression.trim();
    switch (inner) {
      case "name.full":
        return full;
      case "name.prefix":
        return prefix;
      case "name.suffix":
        return full.slice(prefix.length);
      case "agent.segment":
        return "";
    }
    const match = /^match\((\d+)\)$/.exec(inner);
    if (match === null)
      throw new OperationalError("refused", `Bad format '${text}': unknown variable ${JSON.stringify(inner)}`);
    return groups[Number(match[1])] ?? "";
  });
}
