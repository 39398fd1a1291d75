import java.io.FileInputStream;
import java.io.InputStream;
import org.verapdf.gf.foundry.VeraGreenfieldFoundryProvider;
import org.verapdf.pdfa.Foundries;
import org.verapdf.pdfa.PDFAParser;
import org.verapdf.pdfa.PDFAValidator;
import org.verapdf.pdfa.flavours.PDFAFlavour;
import org.verapdf.pdfa.results.TestAssertion;
import org.verapdf.pdfa.results.ValidationResult;

/** Checks PDF files against flavours: `VeraCheck 3a,ua1 file...` prints a line for each and what fails. */
public class VeraCheck {
    public static void main(String[] given) throws Exception {
        VeraGreenfieldFoundryProvider.initialise();
        boolean good = true;
        for (int place = 1; place < given.length; place++) {
            for (String name : given[0].split(",")) {
                good &= passes(given[place], PDFAFlavour.byFlavourId(name));
            }
        }
        System.exit(good ? 0 : 1);
    }

    private static boolean passes(String file, PDFAFlavour flavour) throws Exception {
        try (InputStream in = new FileInputStream(file);
                PDFAParser parser = Foundries.defaultInstance().createParser(in, flavour);
                PDFAValidator validator = Foundries.defaultInstance().createValidator(flavour, false)) {
            ValidationResult result = validator.validate(parser);
            System.out.printf("%s %s %s assertions=%d%n", result.isCompliant() ? "PASS" : "FAIL", file,
                    flavour.getId(), result.getTotalAssertions());
            for (TestAssertion each : result.getTestAssertions()) {
                if (each.getStatus() == TestAssertion.Status.FAILED) {
                    System.out.printf("  %s %s%n", each.getRuleId().getClause(), each.getMessage());
                }
            }
            return result.isCompliant();
        }
    }
}
