import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * Kafka Streams with the Processor API: two RocksDB stores with caching and changelogs (winners by user|meal, totals by
 * user|day), packed in binary; no repartitioning, because the topic is keyed by user; a row forwarded per change.
 */
public class Daily {
  @JsonIgnoreProperties(ignoreUnknown = true)
  public static class Item { public double energy_kcal, protein_g, carbs_g, fat_g; }

  @JsonIgnoreProperties(ignoreUnknown = true)
  public static class Data { public double portion = 1.0; public Item[] items; }

  @JsonIgnoreProperties(ignoreUnknown = true)
  public static class Meal { public String id, subject, time, entity; public int revision = 1; public Data data; }

  static final class Fold implements Processor<String, byte[], String, byte[]> {
    private final ObjectMapper json = new ObjectMapper();
    private ProcessorContext<String, byte[]> context;
    private KeyValueStore<String, byte[]> winners, days;

    @Override public void init(ProcessorContext<String, byte[]> c) {
      context = c;
      winners = c.getStateStore("winners");
      days = c.getStateStore("days");
    }

    private static long milli(double v) { return (long) Math.rint(v * 1000); }

    @Override public void process(Record<String, byte[]> record) {
      Meal meal;
      try { meal = json.readValue(record.value(), Meal.class); } catch (java.io.IOException e) { throw new RuntimeException(e); }
      String entity = meal.subject + "|" + (meal.entity == null ? meal.id : meal.entity);
      byte[] old = winners.get(entity);
      if (old != null && ByteBuffer.wrap(old).getInt() >= meal.revision) return;
      long[] adds = new long[5];
      for (Item item : meal.data.items) {
        adds[0] += milli(item.energy_kcal);
        adds[1] += milli(item.protein_g);
        adds[2] += milli(item.carbs_g);
        adds[3] += milli(item.fat_g);
      }
      long portion = milli(meal.data.portion);
      for (int i = 0; i < 4; i++) adds[i] = (adds[i] * portion + 500) / 1000;
      adds[4] = 1;
      String date = meal.time.substring(0, 10);
      if (old != null) {
        ByteBuffer was = ByteBuffer.wrap(old);
        was.getInt();
        byte[] text = new byte[10];
        was.get(text);
        long[] minus = new long[5];
        for (int i = 0; i < 5; i++) minus[i] = -was.getLong();
        String before = new String(text, StandardCharsets.US_ASCII);
        long[] left = add(meal.subject, before, minus);
        if (!before.equals(date)) send(record, meal.subject, before, left);
      }
      long[] totals = add(meal.subject, date, adds);
      ByteBuffer won = ByteBuffer.allocate(54);
      won.putInt(meal.revision).put(date.getBytes(StandardCharsets.US_ASCII));
      for (long v : adds) won.putLong(v);
      winners.put(entity, won.array());
      send(record, meal.subject, date, totals);
    }

    private long[] add(String user, String date, long[] adds) {
      String key = user + "|" + date;
      byte[] old = days.get(key);
      long[] totals = adds.clone();
      if (old != null) {
        ByteBuffer b = ByteBuffer.wrap(old);
        for (int i = 0; i < 5; i++) totals[i] += b.getLong();
      }
      ByteBuffer out = ByteBuffer.allocate(40);
      for (long v : totals) out.putLong(v);
      days.put(key, out.array());
      return totals;
    }

    private void send(Record<String, byte[]> record, String user, String date, long[] t) {
      String row = "{\"user\":\"" + user + "\",\"day\":\"" + date + "\",\"energy_cal\":" + t[0] + ",\"protein_mg\":" + t[1]
          + ",\"carbs_mg\":" + t[2] + ",\"fat_mg\":" + t[3] + ",\"meals\":" + t[4] + "}";
      context.forward(record.withKey(user + "|" + date).withValue(row.getBytes(StandardCharsets.UTF_8)));
    }
  }

  public static void main(String[] a) {
    Properties p = new Properties();
    p.put("bootstrap.servers", a[0]);
    p.put("application.id", a[3]);
    p.put("state.dir", a[4]);
    p.put("processing.guarantee", a[5]);
    p.put("auto.offset.reset", "earliest");
    p.put("group.instance.id", a[3] + "-1");
    p.put("num.stream.threads", "1");
    p.put("statestore.cache.max.bytes", Long.toString(256L << 20));
    p.put("commit.interval.ms", a[5].equals("exactly_once_v2") ? "100" : "1000");
    p.put("max.poll.records", "10000");
    p.put("producer.linger.ms", "20");
    p.put("producer.compression.type", "lz4");
    StreamsBuilder builder = new StreamsBuilder();
    for (String name : new String[] {"winners", "days"}) {
      builder.addStateStore(Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(name), Serdes.String(), Serdes.ByteArray())
          .withCachingEnabled());
    }
    builder.stream(a[1], Consumed.with(Serdes.String(), Serdes.ByteArray()))
        .process(Fold::new, "winners", "days")
        .to(a[2], Produced.with(Serdes.String(), Serdes.ByteArray()));
    KafkaStreams streams = new KafkaStreams(builder.build(), p);
    Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(java.time.Duration.ofSeconds(5))));
    streams.setUncaughtExceptionHandler(why -> {
      why.printStackTrace();
      return StreamThreadExceptionResponse.REPLACE_THREAD;
    });
    streams.start();
  }
}
