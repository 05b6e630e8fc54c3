"""Spring Security: an application of Spring Boot with the settings and beans of the recipe, built
by Maven, and a page that lets its token expire."""

from __future__ import annotations

import os
from pathlib import Path

POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <parent>
    <groupId>org.springframework.boot</groupId>
    <artifactId>spring-boot-starter-parent</artifactId>
    <version>3.5.0</version>
  </parent>
  <groupId>bids</groupId>
  <artifactId>bids</artifactId>
  <version>1</version>
  <properties><java.version>17</java.version></properties>
  <dependencies>
    <dependency>
      <groupId>org.springframework.boot</groupId>
      <artifactId>spring-boot-starter-web</artifactId>
    </dependency>
    <dependency>
      <groupId>org.springframework.boot</groupId>
      <artifactId>spring-boot-starter-oauth2-client</artifactId>
    </dependency>
  </dependencies>
  <build>
    <plugins>
      <plugin>
        <groupId>org.springframework.boot</groupId>
        <artifactId>spring-boot-maven-plugin</artifactId>
      </plugin>
    </plugins>
  </build>
</project>
"""
APPLICATION = """package bids;

import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.time.Instant;
import java.util.*;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.annotation.Bean;
import org.springframework.security.config.Customizer;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.core.*;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.security.core.authority.SimpleGrantedAuthority;
import org.springframework.security.core.authority.mapping.GrantedAuthoritiesMapper;
import org.springframework.security.oauth2.client.*;
import org.springframework.security.oauth2.client.oidc.web.logout.*;
import org.springframework.security.oauth2.client.registration.*;
import org.springframework.security.oauth2.client.web.*;
import org.springframework.security.oauth2.core.OAuth2AccessToken;
import org.springframework.security.oauth2.core.oidc.user.*;
import org.springframework.security.web.SecurityFilterChain;
import org.springframework.web.bind.annotation.*;

@SpringBootApplication
public class Application {
    public static void main(String[] arguments) {
        SpringApplication.run(Application.class, arguments);
    }

RECIPE
    @RestController
    static class Pages {
        private final OAuth2AuthorizedClientRepository known;
        private final OAuth2AuthorizedClientManager manager;

        Pages(ClientRegistrationRepository clients, OAuth2AuthorizedClientRepository known) {
            this.known = known;
            this.manager = new DefaultOAuth2AuthorizedClientManager(clients, known);
        }

        @GetMapping("/bids")
        String bids(@AuthenticationPrincipal OidcUser person, Authentication authentication) {
            return person.getPreferredUsername() + " " + authentication.getAuthorities();
        }

        @GetMapping("/signed-out")
        String signedOut() {
            return "signed out";
        }

        /** The token is said to have expired, and Spring renews it. */
        @GetMapping("/refresh")
        String refresh(Authentication person, HttpServletRequest request,
                HttpServletResponse response) {
            OAuth2AuthorizedClient client = known.loadAuthorizedClient("ieso", person, request);
            var token = client.getAccessToken();
            var now = Instant.now();
            var expired = new OAuth2AccessToken(token.getTokenType(), token.getTokenValue(),
                now.minusSeconds(120), now.minusSeconds(90));
            known.saveAuthorizedClient(new OAuth2AuthorizedClient(client.getClientRegistration(),
                client.getPrincipalName(), expired, client.getRefreshToken()),
                person, request, response);
            var fresh = manager.authorize(OAuth2AuthorizeRequest.withClientRegistrationId("ieso")
                .principal(person)
                .attribute(HttpServletRequest.class.getName(), request)
                .attribute(HttpServletResponse.class.getName(), response).build());
            var isSame = fresh.getAccessToken().getTokenValue().equals(token.getTokenValue());
            return isSame ? "the same access token" : "refreshed";
        }
    }
}
"""

beans = "".join(
    f"    {line}" if line.strip() else line
    for line in Path("recipe/java").read_text(encoding="utf-8").splitlines(keepends=True)
)
files = {
    "pom.xml": POM,
    "src/main/java/bids/Application.java": APPLICATION.replace("RECIPE\n", f"{beans}\n"),
    "src/main/resources/application.yaml": Path("recipe/yaml").read_text(encoding="utf-8"),
}
for name, text in files.items():
    file = Path(name)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
os.environ["SERVER_PORT"] = os.environ["PORT"]
os.execvp("mvn", ["mvn", "--quiet", "--batch-mode", "spring-boot:run"])
