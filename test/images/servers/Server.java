import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.concurrent.Executors;

/**
 * The JDK's own server. On TERM it serves what it has, for five seconds at most. Before that, it ends the
 * connections that clients keep with their next answer: HttpServer.stop closes all connections once it knows of no
 * request, and it does not know of one whose header it has just read.
 */
public class Server {
  static final byte[] KEY = System.getenv("KEY").getBytes();
  static volatile boolean ending;

  static void stop(HttpServer server) {
    ending = true;
    try {
      Thread.sleep(1000);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    server.stop(5);
  }

  static void answer(HttpExchange exchange) throws IOException {
    if (ending) {
      exchange.getResponseHeaders().set("Connection", "close");
    }
    exchange.sendResponseHeaders(200, KEY.length);
    exchange.getResponseBody().write(KEY);
    exchange.close();
  }

  public static void main(String[] args) throws Exception {
    HttpServer server = HttpServer.create(new InetSocketAddress(8000), 128);
    server.setExecutor(Executors.newCachedThreadPool());
    server.createContext("/", Server::answer);
    server.createContext("/slow", exchange -> {
      try {
        Thread.sleep(2000);
      } catch (InterruptedException e) {
        throw new IOException(e);
      }
      answer(exchange);
    });
    Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(server)));
    server.start();
  }
}
