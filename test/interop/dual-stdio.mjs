// A server of the SDK's second generation on standard streams: it speaks the era in which it is opened.
import { acceptedContent, inputRequired, Server } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";

const text = (words) => ({ content: [{ type: "text", text: words }] });
const OPEN = { type: "object" };

serveStdio(() => {
  const server = new Server({ name: "dual", version: "1.0.0" }, { capabilities: { tools: { listChanged: true }, logging: {} } });
  server.setRequestHandler("tools/list", () => ({
    tools: ["echo", "count", "ask", "wait", "change"].map((name) => ({ name, inputSchema: OPEN })),
  }));
  server.setRequestHandler("tools/call", async ({ params }, { mcpReq }) => {
    const token = mcpReq._meta?.progressToken;
    switch (params.name) {
      case "count":
        for (const progress of [1, 2, 3]) {
          if (token !== undefined) await mcpReq.notify({ method: "notifications/progress", params: { progressToken: token, progress } });
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
        return text("counted");
      case "ask": {
        const told = acceptedContent(mcpReq.inputResponses, "who");
        if (told !== undefined) return text(`Hello ${told.name}`);
        const requestedSchema = { type: "object", properties: { name: { type: "string" } } };
        return inputRequired({ inputRequests: { who: inputRequired.elicit({ message: "Your name?", requestedSchema }) } });
      }
      case "wait":
        await new Promise((resolve) => mcpReq.signal.addEventListener("abort", resolve));
        process.stderr.write("the wait was cancelled\n");
        return text("cancelled");
      case "change":
        await server.sendToolListChanged();
        return text("changed");
      default:
        return text(JSON.stringify(params.arguments ?? {}));
    }
  });
  return server;
});
