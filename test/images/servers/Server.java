import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.concurrent.Executors;

/** The JDK's own server. On TERM it serves what it has, for five seconds at most. */
public class Server {
  static final byte[] KEY = System.getenv("KEY").getBytes();

  static void answer(HttpExchange exchange) throws IOException {
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
    Runtime.getRuntime().addShutdownHook(new Thread(() -> server.stop(5)));
    server.start();
  }
}
